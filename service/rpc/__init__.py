"""gRPC: the third front of the same calls, beside JSON and multipart."""
