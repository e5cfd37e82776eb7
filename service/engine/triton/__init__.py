"""Triton as the engine: one replica for each address, each model of each replica under its own watch."""
