"""Measurements: each module is one script, run as `python -m bench.<name>`."""
