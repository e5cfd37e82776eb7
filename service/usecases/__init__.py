"""What the service does, without a word of HTTP: the same rules for every wire format."""
