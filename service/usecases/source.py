"""What an answer names as its origin."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Source:
    """What answered: the model's name and the SHA-256 that names what computed the answer."""

    model: str
    fingerprint: str
