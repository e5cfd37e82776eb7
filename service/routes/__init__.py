"""The REST endpoints: each module reads one request, calls its use case and renders the answer."""
