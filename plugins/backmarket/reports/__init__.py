"""Pages for people that need neither a network nor a script."""
