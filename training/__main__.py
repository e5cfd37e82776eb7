"""`python -m training RUN.yaml`, for `torchrun`."""

from __future__ import annotations

import argparse
import sys

from training.cli import add_train_arguments, run_train


def main() -> int:
    """Run; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m training", description="Train a model.")
    add_train_arguments(parser)
    return run_train(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
