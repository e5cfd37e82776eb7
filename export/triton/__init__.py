"""What Triton needs beyond the model repository itself: variants for its backends, and a server from PyPI's wheel."""
