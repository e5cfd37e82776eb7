"""Data: concepts, pictures and sounds made here, and loaders for anybody's own."""
