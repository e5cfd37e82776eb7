"""Client of ONE-PEACE Server: images, sound and text in, numpy arrays out.

A request's way: `client.py` → `front.py` (checks) → `calls.py` (splits, joins) → `exchange.py` (retries) →
`rest_wire.py` or `grpc_wire.py` (renders, reads) → `http_transport.py` or `grpc_transport.py` (sends).
A stream's: `stream.py` (packs, gives out) between `sync_stream.py` or `async_stream.py` (reads ahead, in bounds) and a
lane: requests as above, or `grpc_stream.py`.
"""

from onepeace_client.answers import (
    Boxes,
    Embedding,
    Embeddings,
    Info,
    Labels,
    Similarities,
    WindowLabels,
    WindowVectors,
)
from onepeace_client.async_client import AsyncClient
from onepeace_client.client import Client
from onepeace_client.contents import UnknownFile
from onepeace_client.encodings import Encoding
from onepeace_client.errors import (
    ClientClosed,
    DeadlineExceeded,
    EngineFailure,
    Forbidden,
    InputProblem,
    InvalidInput,
    ModelNotServed,
    NotConnected,
    OnePeaceError,
    ProtocolError,
    QueueFull,
    RateLimited,
    RequestRefused,
    ServerFault,
    Unauthenticated,
    Unavailable,
    Unreachable,
)
from onepeace_client.front import Options
from onepeace_client.items import Audio, Fused, Image, Tokens, Vector
from onepeace_client.profile import Profile
from onepeace_client.retries import RetryPolicy
from onepeace_client.tls import Tls
from onepeace_client.wire import Windows

__version__ = "0.1.0"
__all__ = [
    "AsyncClient",
    "Audio",
    "Boxes",
    "Client",
    "ClientClosed",
    "DeadlineExceeded",
    "Embedding",
    "Embeddings",
    "Encoding",
    "EngineFailure",
    "Forbidden",
    "Fused",
    "Image",
    "Info",
    "InputProblem",
    "InvalidInput",
    "Labels",
    "ModelNotServed",
    "NotConnected",
    "OnePeaceError",
    "Options",
    "Profile",
    "ProtocolError",
    "QueueFull",
    "RateLimited",
    "RequestRefused",
    "RetryPolicy",
    "ServerFault",
    "Similarities",
    "Tls",
    "Tokens",
    "Unauthenticated",
    "Unavailable",
    "UnknownFile",
    "Unreachable",
    "Vector",
    "WindowLabels",
    "WindowVectors",
    "Windows",
]
