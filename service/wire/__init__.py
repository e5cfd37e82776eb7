"""Requests and answers: bytes, JSON, multipart and problems of HTTP; the schemas that gRPC checks its messages with, too."""
