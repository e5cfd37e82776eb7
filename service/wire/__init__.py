"""Requests and answers: bytes, JSON, multipart and problems of HTTP; gRPC checks its messages with the same schemas."""
