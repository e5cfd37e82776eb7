"""Everything that serves requests, put together: the composition root that routes and commands share."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TypeVar

from starlette.requests import Request

from service.access.gate import build_gate
from service.admission import Admission, Demand, RequestRoom, Room
from service.context import RequestContext
from service.engine.choice import build_engine
from service.engine.protocol import Engine
from service.errors import InputError, NotReady
from service.fetching.fetcher import build_fetcher
from service.fetching.media_urls import MediaUrls
from service.ledger import Ledger
from service.lifecycle import DECODERS_UNAVAILABLE, ENGINE_DEAD, Lifecycle, State
from service.metrics import Metrics
from service.pipeline import Pipeline
from service.repository import CONTRACTS, ModelFolder, read_repository
from service.settings import Settings
from service.tracer_choice import build_tracer
from service.usecases.audio_labels import AudioLabeller
from service.usecases.embedding import Embedder
from service.usecases.grounding import Grounder
from service.usecases.heads import HeadRunner
from service.usecases.items import Item, leaves, modality
from service.usecases.label_vectors import LabelVectors
from service.usecases.questions import Questions
from service.usecases.source import Source
from service.usecases.space import EmbeddingSpace
from service.wire.body import BodyReader, Headers
from service.wire.form import FormRule
from service.wire.requests.schema import RequestSchema

Schema = TypeVar("Schema", bound=RequestSchema)
WARM_LOOK_S = 0.05
"""Seconds between two looks at an engine that has not answered yet."""
INPUT_MODALITIES = {"tokens": "text", "pixels": "image", "pixels_2": "image", "waveform": "audio"}


class Runtime:
    """One service: settings, models, engine, use cases and state.

    Raises (on creation):
        RepositoryError: the model repository can't be served.
        SettingsError: the key file can't be used.
    """

    def __init__(self, settings: Settings, engine: Engine | None = None) -> None:
        self.settings = settings
        self.models: dict[str, ModelFolder] = read_repository(
            settings.model_repository, needs_graphs=settings.engine == "onnx"
        )
        self.metrics = Metrics()
        self.gate = build_gate(settings, self.metrics)
        self.lifecycle = Lifecycle()
        self.engine: Engine = engine or build_engine(self.models, settings, self.metrics)
        self.admission = Admission(
            max_items=settings.max_queue,
            max_bytes=settings.max_pending_bytes,
            max_wait_s=settings.max_wait_ms / 1000,
        )
        urls = MediaUrls(build_fetcher(settings), self.admission, max_bytes=settings.max_body_bytes)
        self.pipeline = Pipeline(self.models, self.engine, settings, self.metrics, urls)
        self.space = EmbeddingSpace(self.models)
        self.embedder = Embedder(self.space, self.pipeline)
        self.label_vectors = LabelVectors(settings.label_cache)
        heads = HeadRunner(self.pipeline)
        self.grounder, self.audio_labeller, self.questions = Grounder(heads), AudioLabeller(heads), Questions(heads)
        self.source = Source(settings.model_name, self.space.fingerprint)
        self.tracer = build_tracer(settings)
        self.ledger = Ledger(self.metrics, self.admission, self.tracer)
        self._watch()
        self._bodies = BodyReader(settings, self.admission)
        self._started = False
        self._warming: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Load and warm every model, have the decoders ready, then be ready; servers elsewhere may take longer."""
        decoders = asyncio.create_task(self.pipeline.start())  # meanwhile, in processes of their own
        try:
            await self.engine.start()
            await decoders
        finally:
            decoders.cancel()
        self._started = True
        if self.engine.ready():
            self.lifecycle.warmed()
        else:
            self.lifecycle.wait()
            self._warming = asyncio.create_task(self._wait_until_warm())

    async def _wait_until_warm(self) -> None:
        while not self.engine.ready():  # noqa: ASYNC110 (readiness has no event)
            await asyncio.sleep(WARM_LOOK_S)
        self.lifecycle.warmed()

    async def close(self) -> None:
        """Finish what runs and let go of threads and models."""
        if self._warming is not None:
            self._warming.cancel()
        await self.pipeline.close()
        await self.engine.close()
        if self.tracer is not None:
            await self.tracer.close()

    async def render_metrics(self, accept: str) -> tuple[bytes, str]:
        """See `Metrics.render`; in a thread, because it takes some 10 ms. Engines are asked on the event loop."""
        self.metrics.ready.set(self.ready())
        self.metrics.engine_up.set(self.engine.ready())
        return await asyncio.to_thread(self.metrics.render, accept)

    def _watch(self) -> None:
        """Numbers that are looked at when the metrics are read, which may be in a thread, and the limits of some."""
        metrics, admission = self.metrics, self.admission
        metrics.admitted_items.set_function(lambda: admission.items)
        metrics.admitted_bytes.set_function(lambda: admission.bytes)
        metrics.queue_limit.set(self.settings.max_queue)
        metrics.bytes_limit.set(self.settings.max_pending_bytes)

    def drain(self) -> None:
        """The end was asked for: not ready from now on, yet serving."""
        self.lifecycle.drain()

    def ready(self) -> bool:
        """Whether new callers are welcome: warmed once, not draining, and able to serve.

        A Triton that is away later does not count. It is shared: if its loss made every gateway unready, callers would
        meet refused connections where they now get a 503 that says why and when to come again.
        """
        return self.status() == State.READY.value

    def status(self) -> str:
        """`ready`, or in one word what keeps new callers out: what lasts longest comes first."""
        if not self.alive():
            return ENGINE_DEAD
        if self.lifecycle.state is State.READY and not self.pipeline.ready():
            return DECODERS_UNAVAILABLE
        return self.lifecycle.state.value

    def alive(self) -> bool:
        """Whether this process can still serve; if not, only a new one can."""
        return self.engine.alive()

    def head(self, model: str) -> Source:
        """What answers for a model whose output is not an embedding.

        Raises:
            ModelNotServed: the repository lacks it.
        """
        return Source(model, self.pipeline.preprocessor.model(model).card.fingerprint)

    def require_room(self, headers: Headers) -> None:
        """As `BodyReader.require_room`, for the door: before anything is set up for the request."""
        self._bodies.require_room(headers)

    async def read(self, request: Request, schema: type[Schema], form: Mapping[str, FormRule]) -> Schema:
        """The checked request; see `BodyReader.read`.

        Raises:
            NotReady: the models are not loaded.
        """
        self.require_start()
        return await self._bodies.read(request, context_of(request), schema, form)

    async def read_json(self, request: Request) -> object:
        """The values of a JSON body, unchecked; see `BodyReader.read_json`.

        Raises:
            NotReady: the models are not loaded.
        """
        self.require_start()
        return await self._bodies.read_json(request, context_of(request))

    def require_start(self) -> None:
        """Make sure that calls can be answered at all.

        Raises:
            NotReady: the models are not loaded.
        """
        if not self._started:
            raise NotReady("the models are being loaded")

    def room(self, context: RequestContext) -> Room:
        """The room of a request, for its use case."""
        return RequestRoom(self.admission, context)

    def tally(self, context: RequestContext, items: Sequence[Item | InputError]) -> Demand:
        """Count the caller's items for the books, and say what they hold until they are answered.

        Windows of long clips beyond the first come on top.
        """
        counts = Counter(modality(leaf) for item in items if not isinstance(item, InputError) for leaf in leaves(item))
        row_bytes = self.pipeline.preprocessor.row_bytes
        for kind, count in counts.items():
            context.stages.tally.add(kind, count)
        return Demand(counts.total(), sum(count * row_bytes(kind) for kind, count in counts.items()))

    def admit_items(self, context: RequestContext, items: Sequence[Item | InputError]) -> None:
        """Account for items to embed, and for the memory of what they decode to, until the request is answered.

        Raises:
            InvalidRequest, QueueFull: see `Admission.take`.
            RateLimited, Unauthenticated, Forbidden: see `Caller.charge_items`.
        """
        demand = self.tally(context, items)
        self.admission.take(context, items=demand.items, num_bytes=demand.num_bytes)
        context.charge_up_to(context.held_items)

    def admit_rows(self, context: RequestContext, model: str, rows: int, *, crops: int = 0) -> None:
        """Account for rows of one head, which share one picture or clip, and for `crops` of the picture.

        Raises:
            InvalidRequest, QueueFull: see `Admission.take`.
            RateLimited, Unauthenticated, Forbidden: see `Caller.charge_items`.
        """
        for tensor in CONTRACTS[model].inputs:
            if kind := INPUT_MODALITIES.get(tensor.name):
                context.stages.tally.add(kind, rows if kind == "text" else 1)
        row_bytes = self.pipeline.preprocessor.row_bytes
        self.admission.take(context, items=rows, num_bytes=row_bytes(model) + crops * row_bytes("image"))
        context.charge_up_to(context.held_items)


def context_of(request: Request) -> RequestContext:
    """What the middleware prepared for this request."""
    context: RequestContext = request.scope["onepeace.context"]
    return context


def runtime_of(request: Request) -> Runtime:
    """The service that the application was built for."""
    runtime: Runtime = request.app.state.runtime
    return runtime
