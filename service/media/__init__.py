"""From uploaded bytes and strings to the tensors that the models take."""
