"""Pictures composed from emoji and drawn shapes, and scenes with boxes and the phrases that name them."""
