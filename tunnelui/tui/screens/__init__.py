"""What fills the terminal: the routes, one route, the sign-in, the form, the keys, a question, the log."""
