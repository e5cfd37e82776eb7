"""The stand-in model: a small random checkpoint with a vocabulary of its own."""
