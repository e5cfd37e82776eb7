"""Logs that can't be written (a full device) and logs that nobody reads (a full pipe): calls are served as ever.

Over gRPC they are such that its core would print a line for each, past the service's own log.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import grpc
import httpx

from service.rpc.generated import onepeace_pb2 as pb
from tests.load.experiment import Experiment, Figure, Scale
from tests.load.rpc import EMBED
from tests.repository import REPOSITORY

REQUESTS: dict[Scale, int] = {"full": 5000, "small": 300}  # at `debug` each is a line of more than 64 bytes
COMPRESSED_CALLS = 1000  # a pipe holds 64 KiB, some 700 lines of the core
REST_S = 1.0  # more than the core has room for come in a second, and some streams are refused as such
START_S, ANSWER_S, END_S = 60.0, 10.0, 20.0
STILL_RUNNING = -1
ROW = {"inputs": [{"text": "a cow"}]}
WRONG = {"inputs": [{"image": "bm90IGEgcGljdHVyZQ=="}]}


@contextmanager
def server_with_log(log: int) -> Iterator[tuple[str, str, subprocess.Popen[bytes]]]:
    """A server that has the descriptor `log` for its output and errors; its URL, and the address of gRPC."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        grpc_port = str(probe.getsockname()[1])
    command = [sys.executable, "-m", "service.cli", "serve", "--port", "0", "--grpc-port", grpc_port]
    command += ["--model-repository", str(REPOSITORY), "--log-level", "debug", "--drain-s", "0"]
    process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield ready_url(process), f"127.0.0.1:{grpc_port}", process
    finally:
        process.kill()
        process.wait()


def ready_url(process: subprocess.Popen[bytes]) -> str:
    """Where it answers that it is ready: it can't say its port, so the kernel is asked.

    Raises:
        TimeoutError: it did not.
    """
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        for port in listening_ports(process.pid):
            url = f"http://127.0.0.1:{port}"
            try:
                if httpx.get(url + "/health/ready", timeout=ANSWER_S).status_code == 200:
                    return url
            except httpx.TransportError:
                pass
        time.sleep(0.05)
    raise TimeoutError(process.args)


def listening_ports(pid: int) -> list[int]:
    """Of IPv4, in the order of the kernel's table (proc(5): local address, state 0A, inode)."""
    sockets = {os.readlink(path) for path in Path(f"/proc/{pid}/fd").iterdir() if path.is_symlink()}
    rows = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    return [int(row[1].split(":")[1], 16) for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in sockets]


def outcomes(url: str, count: int) -> Counter[int | str]:
    """Statuses of good and wrong requests in turn; ends at the first that is not answered."""
    seen: Counter[int | str] = Counter()
    with httpx.Client(base_url=url, timeout=ANSWER_S) as client:
        for number in range(count):
            try:
                seen[client.post("/embed", json=WRONG if number % 2 else ROW).status_code] += 1
            except httpx.TransportError as error:
                seen[type(error).__name__] += 1
                break
    return seen


def rpc_outcomes(address: str, count: int) -> Counter[str]:
    """Statuses of calls that are compressed, which is refused, and of a good one; ends at the first that hangs."""
    seen: Counter[str] = Counter()
    with grpc.insecure_channel(address) as channel:
        embed = channel.unary_unary(EMBED, pb.EmbedRequest.SerializeToString, pb.EmbedResponse.FromString)
        request = pb.EmbedRequest(inputs=[pb.Item(text="a cow " * 40)])  # short ones are not compressed
        ways = [grpc.Compression.Gzip] * count + [grpc.Compression.NoCompression]
        for number, way in enumerate(ways):
            if number == count:
                time.sleep(REST_S)
            try:
                embed(request, timeout=ANSWER_S, compression=way)
                seen["OK"] += 1
            except grpc.RpcError as error:
                seen[error.code().name] += 1
                if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                    break
    return seen


def figures_of(title: str, log: int, count: int) -> list[Figure]:
    """Serve, and end by SIGTERM."""
    with server_with_log(log) as (url, rpc_address, process):
        seen = outcomes(url, count)
        rpc_seen = rpc_outcomes(rpc_address, COMPRESSED_CALLS)
        process.terminate()
        try:
            code = process.wait(END_S)
        except subprocess.TimeoutExpired:
            code = STILL_RUNNING
    refused = rpc_seen["UNIMPLEMENTED"] + rpc_seen["UNAVAILABLE"]
    return [
        Figure(f"{title}: requests", count),
        Figure("… answered as ever (200, 422)", seen[200] + seen[422], at_least=count),
        Figure("… compressed calls of gRPC", COMPRESSED_CALLS),
        Figure("… refused at once (UNIMPLEMENTED; UNAVAILABLE: too many)", refused, at_least=COMPRESSED_CALLS),
        Figure("… a good call after them", rpc_seen["OK"], at_least=1),
        Figure("… ended by SIGTERM, with code", code, at_least=0, at_most=0),
    ]


def run(scale: Scale) -> Sequence[Figure]:
    """The device, then the pipe."""
    full = os.open("/dev/full", os.O_WRONLY)
    reader, writer = os.pipe()
    try:
        return [
            *figures_of("log to a full device", full, REQUESTS[scale]),
            *figures_of("log to a pipe that nobody reads", writer, 5 * REQUESTS[scale]),
        ]
    finally:
        for descriptor in (full, reader, writer):
            os.close(descriptor)


EXPERIMENT = Experiment("full_disk", "Logs that can't be written", run)
