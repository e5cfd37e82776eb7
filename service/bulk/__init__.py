"""Bulk embedding: whole folders, tables and archives to Parquet, with resumption. `onepeace embed-files`."""
