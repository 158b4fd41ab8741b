"""What leaves the screen: the clipboard, files, other programs."""
