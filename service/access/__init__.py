"""Who may ask for what: keys, scopes, rates. Knows no wire; HTTP and gRPC ask the same `Gate`."""
