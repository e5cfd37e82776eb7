"""Media by URL: which URLs are allowed, which addresses are public, and the one way to the network."""
