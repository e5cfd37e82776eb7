"""An HTTP server on a real socket that answers as it is told, and counts."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LIMITS = {"max_items": 4, "max_body_bytes": 100_000}
INFO = {"model": "m", "fingerprint": "f", "dimensions": 2, "version": "0", "limits": LIMITS, "models": {}}


@dataclass(slots=True)
class Answer:
    """One scripted answer; `body` None ends the connection without any."""

    status: int = 200
    body: bytes | None = b""
    headers: dict[str, str] = field(default_factory=dict)
    after_s: float = 0.0


def problem(status: int, code: str, errors: list[dict[str, Any]] | None = None, **headers: str) -> Answer:
    body = {"status": status, "code": code, "detail": "no", "request_id": "r1", "errors": errors or []}
    return Answer(status, json.dumps(body).encode(), {name.replace("_", "-"): value for name, value in headers.items()})


def vectors(request_body: bytes) -> Answer:
    """As many vectors [1, 0] as a multipart body has items."""
    count = sum(request_body.count(f'name="{kind}"'.encode()) for kind in ("text", "image", "audio"))
    data = [{"index": i, "modality": "text", "embedding": [1.0, 0.0], "input": {}} for i in range(count)]
    body = {"model": "m", "fingerprint": "f", "dimensions": 2, "data": data}
    return Answer(200, json.dumps(body).encode())


Script = Callable[[int, bytes], Answer]
"""From the number of the POST, from 0 on, and its body, to an answer."""


def always(answer: Answer) -> Script:
    return lambda number, body: answer  # noqa: ARG005 (a script's signature)


def give_vectors(number: int, body: bytes) -> Answer:
    return vectors(body)


@dataclass(slots=True)
class ScriptedServer:
    """Answers `info` to every GET and, by `script`, every POST."""

    url: str
    posts: list[float] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    connections: int = 0
    under_way: int = 0
    most_under_way: int = 0


@contextmanager
def scripted_server(
    script: Script, info: bytes = json.dumps(INFO).encode(), *, port: int = 0, keep_alive: bool = True
) -> Iterator[ScriptedServer]:
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1" if keep_alive else "HTTP/1.0"
        disable_nagle_algorithm = True

        def setup(self) -> None:
            super().setup()
            with lock:
                state.connections += 1

        def do_GET(self) -> None:
            self.answer(Answer(200, info))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            with lock:
                number = len(state.posts)
                state.posts.append(time.monotonic())
                state.headers.append(dict(self.headers.items()))
                state.under_way += 1
                state.most_under_way = max(state.most_under_way, state.under_way)
            answer = script(number, body)
            time.sleep(answer.after_s)
            with lock:
                state.under_way -= 1
            self.answer(answer)

        def answer(self, answer: Answer) -> None:
            if answer.body is None:
                self.close_connection = True
                return
            try:
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)
            except ConnectionError:
                self.close_connection = True

        def log_message(self, *args: object) -> None:
            """Silent."""

    class Server(ThreadingHTTPServer):
        daemon_threads = False

    with Server(("127.0.0.1", port), Handler) as server:
        state = ScriptedServer(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()
