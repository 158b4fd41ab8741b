"""What a person can do from whichever screen: ask where it is needed, hand it to the engine, tell."""
