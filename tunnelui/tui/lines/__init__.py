"""Lines of the screen, made of the engine's state: pure functions, cut by cells, never read as markup."""
