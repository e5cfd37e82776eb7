"""Code that `make proto` writes from proto/; never edited by hand."""
