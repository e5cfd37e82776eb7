"""What runs the models: one protocol, one implementation for each backend."""
