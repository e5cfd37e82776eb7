"""Where media are decoded: in threads, or in processes that may hang or crash without harm to the service."""
