"""The served model by its public name, for wires that let callers choose one."""

from __future__ import annotations

from datetime import datetime

from service.errors import ModelNotFound
from service.repository import EMBEDDING_MODELS
from service.runtime import Runtime


def served_models(runtime: Runtime) -> dict[str, int]:
    """The names by which vectors can be asked for, each with the Unix time of its export (0: the card has none)."""
    times = [_unix_time(runtime.models[name].card.exported_at) for name in EMBEDDING_MODELS if name in runtime.models]
    return {runtime.settings.model_name: max(times)} if times else {}


def require_model(runtime: Runtime, name: str) -> None:
    """Make sure that a model of that name is served.

    Raises:
        ModelNotFound: names those that are.
    """
    served = served_models(runtime)
    if name not in served:
        known = f"served: {', '.join(served)}" if served else "no embedding model is served"
        raise ModelNotFound(f"there is no model of this name here; {known}")


def _unix_time(exported_at: str) -> int:
    try:
        return int(datetime.fromisoformat(exported_at).timestamp())
    except ValueError:
        return 0
