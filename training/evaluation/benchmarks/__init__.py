"""Readers of benchmarks' own files: what each expects stands at its `read_…` function and in docs/evaluation.md."""
