"""Which rows and columns the list of routes has, in which order."""
