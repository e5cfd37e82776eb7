"""The dynamic batcher: rows wait here, grouped by length, until an engine slot is free."""
