"""What is trained: the model of `export.one_peace` with the parts that only training needs, and the losses."""
