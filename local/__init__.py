"""Set-up and the local stack: what `make demo`, `make up` and the test suite stand on."""
