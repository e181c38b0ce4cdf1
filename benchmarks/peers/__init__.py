"""Other ways to load the same orders into the same PostgreSQL; each a process that prints one JSON line."""
