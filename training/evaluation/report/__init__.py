"""Results for people and machines: a table in the terminal, JSON, a page with pictures."""
