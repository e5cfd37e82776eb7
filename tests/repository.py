"""The committed model repository."""

from pathlib import Path

REPOSITORY = Path(__file__).parents[1] / "model_repository"
