"""How fast orders come in, beside a peer, in one run: ``make bench``."""
