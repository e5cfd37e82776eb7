"""ONE-PEACE in PyTorch: adapters, shared encoder, heads, and the reader of the released checkpoints."""
