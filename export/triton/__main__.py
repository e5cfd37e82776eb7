"""`make triton`: serve a model repository with the wheel's Triton. Flags it doesn't know are handed on to Triton."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import NoReturn

from export.triton.python_variant import write_python_variant
from export.triton.wheel import Ports, WheelError, server_command, server_environment
from service.repository import RepositoryError


def main() -> NoReturn:
    """Write the variant for the Python backend, then become the server."""
    parser = argparse.ArgumentParser(prog="python -m export.triton", description=__doc__)
    parser.add_argument("--model-repository", type=Path, default=Path("model_repository"), metavar="DIR")
    parser.add_argument("--folder", type=Path, default=Path(".triton"), metavar="DIR", help="for what Triton reads")
    parser.add_argument("--grpc-port", type=int, default=8001)
    parser.add_argument("--http-port", type=int, default=8003)
    parser.add_argument("--metrics-port", type=int, default=8002)
    parser.add_argument("--threads", type=int, default=0, help="of one model call; 0: one for each core")
    options, more = parser.parse_known_args()
    repository = options.folder / "repository"
    try:
        write_python_variant(options.model_repository, repository, threads=options.threads)
        ports = Ports(options.grpc_port, options.http_port, options.metrics_port)
        command = server_command(repository, options.folder, ports)
    except (WheelError, RepositoryError, OSError) as error:
        sys.exit(str(error))
    os.execve(command[0], [*command, *more], server_environment())  # noqa: S606 (our own command)


if __name__ == "__main__":
    main()
