"""Plans for NVIDIA TensorRT, built from the graphs of a model repository."""
