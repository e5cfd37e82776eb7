from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Encoding(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ENCODING_UNSPECIFIED: _ClassVar[Encoding]
    ENCODING_FLOAT: _ClassVar[Encoding]
    ENCODING_INT8: _ClassVar[Encoding]
    ENCODING_BINARY: _ClassVar[Encoding]

class OnError(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ON_ERROR_UNSPECIFIED: _ClassVar[OnError]
    ON_ERROR_FAIL: _ClassVar[OnError]
    ON_ERROR_REPORT: _ClassVar[OnError]
ENCODING_UNSPECIFIED: Encoding
ENCODING_FLOAT: Encoding
ENCODING_INT8: Encoding
ENCODING_BINARY: Encoding
ON_ERROR_UNSPECIFIED: OnError
ON_ERROR_FAIL: OnError
ON_ERROR_REPORT: OnError

class Item(_message.Message):
    __slots__ = ("text", "image", "audio", "image_url", "audio_url", "embedding", "fused", "tokens")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    IMAGE_URL_FIELD_NUMBER: _ClassVar[int]
    AUDIO_URL_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    FUSED_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    text: str
    image: bytes
    audio: bytes
    image_url: str
    audio_url: str
    embedding: GivenVector
    fused: Fused
    tokens: Tokens
    def __init__(self, text: _Optional[str] = ..., image: _Optional[bytes] = ..., audio: _Optional[bytes] = ..., image_url: _Optional[str] = ..., audio_url: _Optional[str] = ..., embedding: _Optional[_Union[GivenVector, _Mapping]] = ..., fused: _Optional[_Union[Fused, _Mapping]] = ..., tokens: _Optional[_Union[Tokens, _Mapping]] = ...) -> None: ...

class Tokens(_message.Message):
    __slots__ = ("ids",)
    IDS_FIELD_NUMBER: _ClassVar[int]
    ids: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, ids: _Optional[_Iterable[int]] = ...) -> None: ...

class GivenVector(_message.Message):
    __slots__ = ("float32", "fingerprint")
    FLOAT32_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    float32: bytes
    fingerprint: str
    def __init__(self, float32: _Optional[bytes] = ..., fingerprint: _Optional[str] = ...) -> None: ...

class Fused(_message.Message):
    __slots__ = ("parts", "weights")
    PARTS_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    parts: _containers.RepeatedCompositeFieldContainer[Part]
    weights: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, parts: _Optional[_Iterable[_Union[Part, _Mapping]]] = ..., weights: _Optional[_Iterable[float]] = ...) -> None: ...

class Part(_message.Message):
    __slots__ = ("text", "image", "audio", "image_url", "audio_url", "tokens")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    IMAGE_URL_FIELD_NUMBER: _ClassVar[int]
    AUDIO_URL_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    text: str
    image: bytes
    audio: bytes
    image_url: str
    audio_url: str
    tokens: Tokens
    def __init__(self, text: _Optional[str] = ..., image: _Optional[bytes] = ..., audio: _Optional[bytes] = ..., image_url: _Optional[str] = ..., audio_url: _Optional[str] = ..., tokens: _Optional[_Union[Tokens, _Mapping]] = ...) -> None: ...

class Windows(_message.Message):
    __slots__ = ("seconds", "hop")
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    HOP_FIELD_NUMBER: _ClassVar[int]
    seconds: float
    hop: float
    def __init__(self, seconds: _Optional[float] = ..., hop: _Optional[float] = ...) -> None: ...

class EmbedOptions(_message.Message):
    __slots__ = ("encoding", "dimensions", "windows")
    ENCODING_FIELD_NUMBER: _ClassVar[int]
    DIMENSIONS_FIELD_NUMBER: _ClassVar[int]
    WINDOWS_FIELD_NUMBER: _ClassVar[int]
    encoding: _containers.RepeatedScalarFieldContainer[Encoding]
    dimensions: int
    windows: Windows
    def __init__(self, encoding: _Optional[_Iterable[_Union[Encoding, str]]] = ..., dimensions: _Optional[int] = ..., windows: _Optional[_Union[Windows, _Mapping]] = ...) -> None: ...

class EmbedRequest(_message.Message):
    __slots__ = ("inputs", "encoding", "on_error", "dimensions", "windows")
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    ENCODING_FIELD_NUMBER: _ClassVar[int]
    ON_ERROR_FIELD_NUMBER: _ClassVar[int]
    DIMENSIONS_FIELD_NUMBER: _ClassVar[int]
    WINDOWS_FIELD_NUMBER: _ClassVar[int]
    inputs: _containers.RepeatedCompositeFieldContainer[Item]
    encoding: _containers.RepeatedScalarFieldContainer[Encoding]
    on_error: OnError
    dimensions: int
    windows: Windows
    def __init__(self, inputs: _Optional[_Iterable[_Union[Item, _Mapping]]] = ..., encoding: _Optional[_Iterable[_Union[Encoding, str]]] = ..., on_error: _Optional[_Union[OnError, str]] = ..., dimensions: _Optional[int] = ..., windows: _Optional[_Union[Windows, _Mapping]] = ...) -> None: ...

class Vector(_message.Message):
    __slots__ = ("float32", "int8", "binary")
    FLOAT32_FIELD_NUMBER: _ClassVar[int]
    INT8_FIELD_NUMBER: _ClassVar[int]
    BINARY_FIELD_NUMBER: _ClassVar[int]
    float32: bytes
    int8: bytes
    binary: bytes
    def __init__(self, float32: _Optional[bytes] = ..., int8: _Optional[bytes] = ..., binary: _Optional[bytes] = ...) -> None: ...

class Window(_message.Message):
    __slots__ = ("start", "end", "vector")
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    VECTOR_FIELD_NUMBER: _ClassVar[int]
    start: float
    end: float
    vector: Vector
    def __init__(self, start: _Optional[float] = ..., end: _Optional[float] = ..., vector: _Optional[_Union[Vector, _Mapping]] = ...) -> None: ...

class InputNote(_message.Message):
    __slots__ = ("tokens", "truncated", "width", "height", "seconds", "used_seconds", "sample_rate_hz", "parts")
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    TRUNCATED_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    USED_SECONDS_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_RATE_HZ_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    tokens: int
    truncated: bool
    width: int
    height: int
    seconds: float
    used_seconds: float
    sample_rate_hz: int
    parts: _containers.RepeatedCompositeFieldContainer[InputNote]
    def __init__(self, tokens: _Optional[int] = ..., truncated: bool = ..., width: _Optional[int] = ..., height: _Optional[int] = ..., seconds: _Optional[float] = ..., used_seconds: _Optional[float] = ..., sample_rate_hz: _Optional[int] = ..., parts: _Optional[_Iterable[_Union[InputNote, _Mapping]]] = ...) -> None: ...

class Embedding(_message.Message):
    __slots__ = ("index", "modality", "vector", "error", "input", "windows")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    MODALITY_FIELD_NUMBER: _ClassVar[int]
    VECTOR_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    WINDOWS_FIELD_NUMBER: _ClassVar[int]
    index: int
    modality: str
    vector: Vector
    error: ItemError
    input: InputNote
    windows: _containers.RepeatedCompositeFieldContainer[Window]
    def __init__(self, index: _Optional[int] = ..., modality: _Optional[str] = ..., vector: _Optional[_Union[Vector, _Mapping]] = ..., error: _Optional[_Union[ItemError, _Mapping]] = ..., input: _Optional[_Union[InputNote, _Mapping]] = ..., windows: _Optional[_Iterable[_Union[Window, _Mapping]]] = ...) -> None: ...

class EmbedResponse(_message.Message):
    __slots__ = ("model", "fingerprint", "dimensions", "data")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    DIMENSIONS_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    model: str
    fingerprint: str
    dimensions: int
    data: _containers.RepeatedCompositeFieldContainer[Embedding]
    def __init__(self, model: _Optional[str] = ..., fingerprint: _Optional[str] = ..., dimensions: _Optional[int] = ..., data: _Optional[_Iterable[_Union[Embedding, _Mapping]]] = ...) -> None: ...

class EmbedStreamRequest(_message.Message):
    __slots__ = ("options", "items")
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    options: EmbedOptions
    items: _containers.RepeatedCompositeFieldContainer[StreamItem]
    def __init__(self, options: _Optional[_Union[EmbedOptions, _Mapping]] = ..., items: _Optional[_Iterable[_Union[StreamItem, _Mapping]]] = ...) -> None: ...

class StreamItem(_message.Message):
    __slots__ = ("id", "item")
    ID_FIELD_NUMBER: _ClassVar[int]
    ITEM_FIELD_NUMBER: _ClassVar[int]
    id: str
    item: Item
    def __init__(self, id: _Optional[str] = ..., item: _Optional[_Union[Item, _Mapping]] = ...) -> None: ...

class EmbedStreamResponse(_message.Message):
    __slots__ = ("id", "model", "fingerprint", "dimensions", "embedding")
    ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    DIMENSIONS_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    id: str
    model: str
    fingerprint: str
    dimensions: int
    embedding: Embedding
    def __init__(self, id: _Optional[str] = ..., model: _Optional[str] = ..., fingerprint: _Optional[str] = ..., dimensions: _Optional[int] = ..., embedding: _Optional[_Union[Embedding, _Mapping]] = ...) -> None: ...

class SimilarityRequest(_message.Message):
    __slots__ = ("queries", "candidates", "probabilities")
    QUERIES_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    PROBABILITIES_FIELD_NUMBER: _ClassVar[int]
    queries: _containers.RepeatedCompositeFieldContainer[Item]
    candidates: _containers.RepeatedCompositeFieldContainer[Item]
    probabilities: bool
    def __init__(self, queries: _Optional[_Iterable[_Union[Item, _Mapping]]] = ..., candidates: _Optional[_Iterable[_Union[Item, _Mapping]]] = ..., probabilities: bool = ...) -> None: ...

class Matrix(_message.Message):
    __slots__ = ("rows", "columns", "float32")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    FLOAT32_FIELD_NUMBER: _ClassVar[int]
    rows: int
    columns: int
    float32: bytes
    def __init__(self, rows: _Optional[int] = ..., columns: _Optional[int] = ..., float32: _Optional[bytes] = ...) -> None: ...

class SimilarityResponse(_message.Message):
    __slots__ = ("model", "fingerprint", "similarity", "probabilities")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    SIMILARITY_FIELD_NUMBER: _ClassVar[int]
    PROBABILITIES_FIELD_NUMBER: _ClassVar[int]
    model: str
    fingerprint: str
    similarity: Matrix
    probabilities: Matrix
    def __init__(self, model: _Optional[str] = ..., fingerprint: _Optional[str] = ..., similarity: _Optional[_Union[Matrix, _Mapping]] = ..., probabilities: _Optional[_Union[Matrix, _Mapping]] = ...) -> None: ...

class GroundRequest(_message.Message):
    __slots__ = ("image", "image_url", "phrases", "scores")
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    IMAGE_URL_FIELD_NUMBER: _ClassVar[int]
    PHRASES_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    image: bytes
    image_url: str
    phrases: _containers.RepeatedScalarFieldContainer[str]
    scores: bool
    def __init__(self, image: _Optional[bytes] = ..., image_url: _Optional[str] = ..., phrases: _Optional[_Iterable[str]] = ..., scores: bool = ...) -> None: ...

class Box(_message.Message):
    __slots__ = ("x0", "y0", "x1", "y1")
    X0_FIELD_NUMBER: _ClassVar[int]
    Y0_FIELD_NUMBER: _ClassVar[int]
    X1_FIELD_NUMBER: _ClassVar[int]
    Y1_FIELD_NUMBER: _ClassVar[int]
    x0: float
    y0: float
    x1: float
    y1: float
    def __init__(self, x0: _Optional[float] = ..., y0: _Optional[float] = ..., x1: _Optional[float] = ..., y1: _Optional[float] = ...) -> None: ...

class PhraseBox(_message.Message):
    __slots__ = ("phrase", "box", "box_normalized", "score")
    PHRASE_FIELD_NUMBER: _ClassVar[int]
    BOX_FIELD_NUMBER: _ClassVar[int]
    BOX_NORMALIZED_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    phrase: str
    box: Box
    box_normalized: Box
    score: float
    def __init__(self, phrase: _Optional[str] = ..., box: _Optional[_Union[Box, _Mapping]] = ..., box_normalized: _Optional[_Union[Box, _Mapping]] = ..., score: _Optional[float] = ...) -> None: ...

class GroundResponse(_message.Message):
    __slots__ = ("model", "fingerprint", "image", "boxes")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    BOXES_FIELD_NUMBER: _ClassVar[int]
    model: str
    fingerprint: str
    image: InputNote
    boxes: _containers.RepeatedCompositeFieldContainer[PhraseBox]
    def __init__(self, model: _Optional[str] = ..., fingerprint: _Optional[str] = ..., image: _Optional[_Union[InputNote, _Mapping]] = ..., boxes: _Optional[_Iterable[_Union[PhraseBox, _Mapping]]] = ...) -> None: ...

class ClassifyRequest(_message.Message):
    __slots__ = ("input", "labels", "templates", "multi_label", "threshold")
    INPUT_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    TEMPLATES_FIELD_NUMBER: _ClassVar[int]
    MULTI_LABEL_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    input: Item
    labels: _containers.RepeatedScalarFieldContainer[str]
    templates: _containers.RepeatedScalarFieldContainer[str]
    multi_label: bool
    threshold: float
    def __init__(self, input: _Optional[_Union[Item, _Mapping]] = ..., labels: _Optional[_Iterable[str]] = ..., templates: _Optional[_Iterable[str]] = ..., multi_label: bool = ..., threshold: _Optional[float] = ...) -> None: ...

class Label(_message.Message):
    __slots__ = ("label", "probability", "cosine")
    LABEL_FIELD_NUMBER: _ClassVar[int]
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    COSINE_FIELD_NUMBER: _ClassVar[int]
    label: str
    probability: float
    cosine: float
    def __init__(self, label: _Optional[str] = ..., probability: _Optional[float] = ..., cosine: _Optional[float] = ...) -> None: ...

class ClassifyResponse(_message.Message):
    __slots__ = ("model", "fingerprint", "labels", "input", "none_of_these")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    NONE_OF_THESE_FIELD_NUMBER: _ClassVar[int]
    model: str
    fingerprint: str
    labels: _containers.RepeatedCompositeFieldContainer[Label]
    input: InputNote
    none_of_these: float
    def __init__(self, model: _Optional[str] = ..., fingerprint: _Optional[str] = ..., labels: _Optional[_Iterable[_Union[Label, _Mapping]]] = ..., input: _Optional[_Union[InputNote, _Mapping]] = ..., none_of_these: _Optional[float] = ...) -> None: ...

class AudioLabelsRequest(_message.Message):
    __slots__ = ("audio", "audio_url", "top_k", "windows")
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    AUDIO_URL_FIELD_NUMBER: _ClassVar[int]
    TOP_K_FIELD_NUMBER: _ClassVar[int]
    WINDOWS_FIELD_NUMBER: _ClassVar[int]
    audio: bytes
    audio_url: str
    top_k: int
    windows: Windows
    def __init__(self, audio: _Optional[bytes] = ..., audio_url: _Optional[str] = ..., top_k: _Optional[int] = ..., windows: _Optional[_Union[Windows, _Mapping]] = ...) -> None: ...

class LabelledWindow(_message.Message):
    __slots__ = ("start", "end", "labels")
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    start: float
    end: float
    labels: _containers.RepeatedCompositeFieldContainer[Label]
    def __init__(self, start: _Optional[float] = ..., end: _Optional[float] = ..., labels: _Optional[_Iterable[_Union[Label, _Mapping]]] = ...) -> None: ...

class AudioLabelsResponse(_message.Message):
    __slots__ = ("model", "fingerprint", "labels", "input", "windows")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    WINDOWS_FIELD_NUMBER: _ClassVar[int]
    model: str
    fingerprint: str
    labels: _containers.RepeatedCompositeFieldContainer[Label]
    input: InputNote
    windows: _containers.RepeatedCompositeFieldContainer[LabelledWindow]
    def __init__(self, model: _Optional[str] = ..., fingerprint: _Optional[str] = ..., labels: _Optional[_Iterable[_Union[Label, _Mapping]]] = ..., input: _Optional[_Union[InputNote, _Mapping]] = ..., windows: _Optional[_Iterable[_Union[LabelledWindow, _Mapping]]] = ...) -> None: ...

class InfoRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class InfoResponse(_message.Message):
    __slots__ = ("model", "fingerprint", "dimensions", "engine", "device", "version", "limits", "models")
    class ModelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Model
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Model, _Mapping]] = ...) -> None: ...
    MODEL_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    DIMENSIONS_FIELD_NUMBER: _ClassVar[int]
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    model: str
    fingerprint: str
    dimensions: int
    engine: str
    device: str
    version: str
    limits: Limits
    models: _containers.MessageMap[str, Model]
    def __init__(self, model: _Optional[str] = ..., fingerprint: _Optional[str] = ..., dimensions: _Optional[int] = ..., engine: _Optional[str] = ..., device: _Optional[str] = ..., version: _Optional[str] = ..., limits: _Optional[_Union[Limits, _Mapping]] = ..., models: _Optional[_Mapping[str, Model]] = ...) -> None: ...

class Limits(_message.Message):
    __slots__ = ("max_body_bytes", "max_pending_bytes", "max_items", "max_text_bytes", "max_pixels", "max_audio_seconds", "max_queue", "deadline_ms", "read_timeout_ms", "max_tokens", "url_max_bytes", "url_timeout_ms", "url_max_redirects")
    class MaxTokensEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    MAX_BODY_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_PENDING_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_ITEMS_FIELD_NUMBER: _ClassVar[int]
    MAX_TEXT_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_PIXELS_FIELD_NUMBER: _ClassVar[int]
    MAX_AUDIO_SECONDS_FIELD_NUMBER: _ClassVar[int]
    MAX_QUEUE_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_MS_FIELD_NUMBER: _ClassVar[int]
    READ_TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    MAX_TOKENS_FIELD_NUMBER: _ClassVar[int]
    URL_MAX_BYTES_FIELD_NUMBER: _ClassVar[int]
    URL_TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    URL_MAX_REDIRECTS_FIELD_NUMBER: _ClassVar[int]
    max_body_bytes: int
    max_pending_bytes: int
    max_items: int
    max_text_bytes: int
    max_pixels: int
    max_audio_seconds: float
    max_queue: int
    deadline_ms: int
    read_timeout_ms: int
    max_tokens: _containers.ScalarMap[str, int]
    url_max_bytes: int
    url_timeout_ms: int
    url_max_redirects: int
    def __init__(self, max_body_bytes: _Optional[int] = ..., max_pending_bytes: _Optional[int] = ..., max_items: _Optional[int] = ..., max_text_bytes: _Optional[int] = ..., max_pixels: _Optional[int] = ..., max_audio_seconds: _Optional[float] = ..., max_queue: _Optional[int] = ..., deadline_ms: _Optional[int] = ..., read_timeout_ms: _Optional[int] = ..., max_tokens: _Optional[_Mapping[str, int]] = ..., url_max_bytes: _Optional[int] = ..., url_timeout_ms: _Optional[int] = ..., url_max_redirects: _Optional[int] = ...) -> None: ...

class Model(_message.Message):
    __slots__ = ("fingerprint", "embedding_dim", "image_size", "sample_rate_hz", "max_audio_s", "min_audio_s", "max_tokens", "logit_scale", "precision", "max_batch_size", "trained_dimensions", "num_labels", "activation", "checkpoint_sha256", "exported_at", "versions")
    class VersionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_DIM_FIELD_NUMBER: _ClassVar[int]
    IMAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_RATE_HZ_FIELD_NUMBER: _ClassVar[int]
    MAX_AUDIO_S_FIELD_NUMBER: _ClassVar[int]
    MIN_AUDIO_S_FIELD_NUMBER: _ClassVar[int]
    MAX_TOKENS_FIELD_NUMBER: _ClassVar[int]
    LOGIT_SCALE_FIELD_NUMBER: _ClassVar[int]
    PRECISION_FIELD_NUMBER: _ClassVar[int]
    MAX_BATCH_SIZE_FIELD_NUMBER: _ClassVar[int]
    TRAINED_DIMENSIONS_FIELD_NUMBER: _ClassVar[int]
    NUM_LABELS_FIELD_NUMBER: _ClassVar[int]
    ACTIVATION_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_SHA256_FIELD_NUMBER: _ClassVar[int]
    EXPORTED_AT_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    fingerprint: str
    embedding_dim: int
    image_size: int
    sample_rate_hz: int
    max_audio_s: float
    min_audio_s: float
    max_tokens: int
    logit_scale: float
    precision: str
    max_batch_size: int
    trained_dimensions: _containers.RepeatedScalarFieldContainer[int]
    num_labels: int
    activation: str
    checkpoint_sha256: str
    exported_at: str
    versions: _containers.ScalarMap[str, str]
    def __init__(self, fingerprint: _Optional[str] = ..., embedding_dim: _Optional[int] = ..., image_size: _Optional[int] = ..., sample_rate_hz: _Optional[int] = ..., max_audio_s: _Optional[float] = ..., min_audio_s: _Optional[float] = ..., max_tokens: _Optional[int] = ..., logit_scale: _Optional[float] = ..., precision: _Optional[str] = ..., max_batch_size: _Optional[int] = ..., trained_dimensions: _Optional[_Iterable[int]] = ..., num_labels: _Optional[int] = ..., activation: _Optional[str] = ..., checkpoint_sha256: _Optional[str] = ..., exported_at: _Optional[str] = ..., versions: _Optional[_Mapping[str, str]] = ...) -> None: ...

class ItemError(_message.Message):
    __slots__ = ("pointer", "code", "detail", "limit", "actual")
    POINTER_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    ACTUAL_FIELD_NUMBER: _ClassVar[int]
    pointer: str
    code: str
    detail: str
    limit: float
    actual: float
    def __init__(self, pointer: _Optional[str] = ..., code: _Optional[str] = ..., detail: _Optional[str] = ..., limit: _Optional[float] = ..., actual: _Optional[float] = ...) -> None: ...

class Problem(_message.Message):
    __slots__ = ("code", "request_id", "errors", "omitted")
    CODE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ERRORS_FIELD_NUMBER: _ClassVar[int]
    OMITTED_FIELD_NUMBER: _ClassVar[int]
    code: str
    request_id: str
    errors: _containers.RepeatedCompositeFieldContainer[ItemError]
    omitted: int
    def __init__(self, code: _Optional[str] = ..., request_id: _Optional[str] = ..., errors: _Optional[_Iterable[_Union[ItemError, _Mapping]]] = ..., omitted: _Optional[int] = ...) -> None: ...
