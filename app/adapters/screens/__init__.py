"""The text that is burned into a screen: found and read."""
