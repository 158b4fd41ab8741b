"""What the screens are drawn with: themes and their colours, signs, plain replacements for both."""
