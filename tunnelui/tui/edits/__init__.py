"""What is being changed and not saved yet: a route as it is typed, tags, proposals."""
