"""The keys: the table of all bindings, what a setting makes of it, and one key after the other."""
