"""Turns ONE-PEACE checkpoints into the model repository that the gateway and Triton serve. Needs PyTorch."""
