"""The page's addresses, a module a concern of theirs."""
