"""Uvicorn and gRPC on one loop: models are loaded while health checks are answered already; SIGTERM drains."""

from __future__ import annotations

import asyncio
import gc
import logging
import select
import signal
import socket
import sys
from types import FrameType

import uvicorn

from service.access.reloading import Reloadable, Reloader
from service.app import build_app
from service.descriptors import raise_limit, watch_descriptors
from service.errors import ServiceError
from service.http_protocol import BoundedHttpProtocol
from service.log_format import as_json, set_up_logging
from service.log_sink import LogSink
from service.middleware import RequestMiddleware
from service.repository import RepositoryError
from service.rpc.server import RpcServer
from service.runtime import Runtime
from service.settings import ENV_PREFIX, AddressError, Settings
from service.tls import ServerTls, build_tls

logger = logging.getLogger(__name__)

BACKLOG = 2048
"""Connections that may wait to be accepted."""
ACCEPT_REST_S, ACCEPT_LOOK_S, ACCEPT_AT_MOST_S = 0.1, 0.01, 2.0
"""Time to accept what waits in the backlog before the listener closes: at least, between two looks, at most."""
SILENT_CONNECTION_S = 0.5
"""Time for a connection that was just accepted to send its request before idle connections are closed."""

TRY = """\
Ready on {base}{grpc}   (stop with Ctrl-C)
  curl -s {base}/embed{key} -F text='a cow in a field'
  curl -s {base}/embed{key} -F image=@examples/cow.jpg -F audio=@examples/moo.flac
  curl -s {base}/info{key}
  {base}/docs
"""


class DrainingServer(uvicorn.Server):
    """On SIGTERM: `/health/ready` says 503 at once, the server serves on for `drain_s`, then finishes and stops.

    Load balancers thus see the 503 and send no more, while no connection is refused. A second signal, or Ctrl-C,
    ends the drain; one more ends the wait for accepted requests.
    """

    def __init__(self, config: uvicorn.Config, app: RequestMiddleware, runtime: Runtime) -> None:
        super().__init__(config)
        self._app, self._runtime = app, runtime
        self._listeners: list[socket.socket] = []
        self.rpc: RpcServer | None = None
        self.tls: ServerTls | None = None
        self.sink: LogSink | None = None
        self.loading: asyncio.Task[None] | None = None
        self.failure: Exception | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 (uvicorn's signature)
        """Called by uvicorn for SIGTERM and SIGINT."""
        loop = asyncio.get_running_loop()
        if self.should_exit:
            self.force_exit = True
            if self.rpc is not None:
                loop.call_soon(self.rpc.stop_at_once)
        elif sig == signal.SIGTERM and not self._runtime.lifecycle.draining:
            loop.call_later(self._runtime.settings.drain_s, self._refuse_newcomers)
        else:
            self._stop()
        self._runtime.drain()

    def _refuse_newcomers(self) -> None:
        """Shrink the backlog first: connections that wait in it when a listener closes are reset by the kernel."""
        self._stop_rpc()
        for listener in self._listeners:
            listener.listen(0)
        loop = asyncio.get_running_loop()
        loop.call_later(ACCEPT_REST_S, self._stop_listening, loop.time() + ACCEPT_AT_MOST_S)

    def _stop_listening(self, until_s: float) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() < until_s and _anyone_waits(self._listeners):  # a busy loop accepts late
            loop.call_later(ACCEPT_LOOK_S, self._stop_listening, until_s)
            return
        for server in self.servers:
            server.close()
        loop.call_later(SILENT_CONNECTION_S, self._stop)

    def _stop_rpc(self) -> None:
        if self.rpc is not None:
            self.rpc.stop()

    def _stop(self) -> None:
        asyncio.get_running_loop().call_soon(self._stop_rpc)
        self._app.end_unread()
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Called by uvicorn: listen first, so that health checks are answered, then load."""
        self._listeners = sockets or []
        await super().startup(sockets)
        if self.started:
            self.loading = asyncio.create_task(self._load())

    async def _load(self) -> None:
        """Load the models; a failure ends the server."""
        try:
            await self._runtime.start()
        except Exception as error:  # a server that will never be ready must not look like one that is starting
            self.failure = error
            self.should_exit = True
            return
        gc.collect()
        gc.freeze()  # what is loaded stays: the collector need not look at it again and again
        if self._runtime.lifecycle.draining:
            return
        scheme = "http" if self.tls is None else "https"
        base = scheme + "://{}:{}".format(*self.servers[0].sockets[0].getsockname()[:2]) if self.servers else ""
        if self._runtime.ready():  # else the engine says what it waits for
            grpc = f", gRPC on port {self.rpc.port}" if self.rpc is not None else ""
            key = "" if self._runtime.gate is None else ' -H "Authorization: Bearer $KEY"'
            if self.sink is not None:  # by which nobody waits for a full disk or a stuck reader
                self.sink.write(TRY.format(base=base, grpc=grpc, key=key).encode())


def serve(settings: Settings) -> int:
    """Run the service until a signal ends it.

    Returns:
        the process's exit code: 0 after a clean end, 1 when the models could not be loaded.

    Raises:
        RepositoryError: the model repository can't be served.
        SettingsError: certificates can't be used, or (AddressError) an address can't be listened on.
    """
    raise_limit()
    runtime = Runtime(settings)
    sink = LogSink(sys.stderr.fileno(), runtime.metrics.log_lines_dropped.inc)
    set_up_logging(settings, sink)
    runtime.ledger.log_to(sink, as_json=as_json(settings))
    try:
        return _run(settings, runtime, sink)
    finally:
        sink.close()


def _run(settings: Settings, runtime: Runtime, sink: LogSink) -> int:
    level, app, tls = settings.log_level, build_app(runtime), build_tls(settings)
    config = uvicorn.Config(
        app,
        ssl_context_factory=None if tls is None else lambda *_: tls.http_context(),
        http=BoundedHttpProtocol,
        ws="none",
        log_level="warning" if level == "info" else level,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        timeout_keep_alive=settings.keep_alive_s,
        timeout_graceful_shutdown=max(1, round(settings.grace_s)),
    )
    server = DrainingServer(config, app, runtime)
    server.tls, server.sink = tls, sink
    if tls is not None:
        runtime.metrics.watch_certificate(lambda: tls.expires_s)
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(_serve(server, runtime))
    if server.failure is not None:
        known = isinstance(server.failure, RepositoryError | ServiceError)
        logger.error("the models could not be loaded: %s", server.failure, exc_info=None if known else server.failure)
        return 1
    return 0


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket.

    Raises:
        AddressError: it is not ours, or is taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        names = f"{ENV_PREFIX}HOST, {ENV_PREFIX}PORT"
        raise AddressError(f"can't listen on {host}:{port} ({names}): {error.strerror}") from error


def _anyone_waits(listeners: list[socket.socket]) -> bool:
    """Whether a connection is there that was not accepted yet."""
    poll = select.poll()
    for listener in listeners:
        poll.register(listener, select.POLLIN)
    return bool(poll.poll(0))


def _start_reloading(server: DrainingServer, runtime: Runtime) -> asyncio.Task[None] | None:
    """Follow the files of keys and certificates; without any, SIGHUP stays what it is to other programs."""
    possible: tuple[Reloadable | None, ...] = (runtime.gate, server.tls)
    things = [thing for thing in possible if thing is not None]
    if not things:
        return None
    reloader = Reloader(things, runtime.metrics)
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reloader.ask)
    return asyncio.create_task(reloader.run())


async def _serve(server: DrainingServer, runtime: Runtime) -> None:
    listener = listen(runtime.settings.host, runtime.settings.port)
    if runtime.settings.grpc_port:
        server.rpc = RpcServer(runtime, server.tls)
        await server.rpc.start()
    watching = asyncio.create_task(watch_descriptors())
    reloading = _start_reloading(server, runtime)
    serving = asyncio.create_task(server.serve([listener]))
    try:
        await serving
    finally:
        watching.cancel()
        if reloading is not None:
            reloading.cancel()
        if server.rpc is not None:
            await server.rpc.stop()
        if server.loading is not None:
            server.loading.cancel()
            await asyncio.gather(server.loading, return_exceptions=True)
        await runtime.close()
