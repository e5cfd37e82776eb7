"""HTTP bodies in and out: bytes, JSON, multipart, schemas and problems."""
