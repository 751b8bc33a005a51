"""What every page is made of: colours, type, icons, words and widgets."""
