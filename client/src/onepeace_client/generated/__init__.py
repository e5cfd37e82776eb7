"""Written by `make proto` from proto/onepeace/v1/onepeace.proto."""
