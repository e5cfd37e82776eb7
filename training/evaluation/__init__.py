"""Evaluation: benchmarks' files in, the paper's tables out. Needs a server or a model repository, never PyTorch.

`benchmarks/` reads files into a dataset, `tasks/` asks a model (`models/`) and scores its answers (`metrics.py`),
`report/` shows the results.
"""
