"""Every fault at once against all DAGs, and a comparison of two truths at the end: `python -m chaos`."""
