"""The three branches at the released size on a GPU: how fast, how near to float32, how near to the hardware."""
