"""Choosing folders, starting sessions, watching and updating them."""
