"""How fast orders come in, beside a peer, and what else takes time, in one run: ``make bench``."""
