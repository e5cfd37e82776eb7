"""Names of the files for TensorRT: a plan fits one GPU architecture, one TensorRT version, one model's profiles."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from export.profiles import bucket_profiles
from service.repository import MODEL_FILE, ModelFolder

STANDARD_FILE = MODEL_FILE.with_name("standard.onnx")  # the graph that TensorRT reads
RULES = 1  # counts up when the standard graph or the profiles of the same model change
DIGEST_LENGTH = 12
_NAME = re.compile(r"sm(?P<capability>\d{2,3})-trt(?P<version>\d+(\.\d+)*)-(?P<digest>[0-9a-f]{12})\.plan")


@dataclass(frozen=True, order=True)
class PlanKey:
    """What a plan is for. `compute_capability` is written as Triton has it: `9.0`."""

    tensorrt_version: str
    compute_capability: str
    digest: str

    @property
    def file_name(self) -> str:
        """`sm90-trt10.16.1.11-0123456789ab.plan`."""
        return f"{self._platform}-{self.digest}.plan"

    @property
    def timing_cache_name(self) -> str:
        """Timings serve all models of one GPU architecture and one version: `sm90-trt10.16.1.11.timing`."""
        return f"{self._platform}.timing"

    @property
    def _platform(self) -> str:
        return f"sm{self.compute_capability.replace('.', '')}-trt{self.tensorrt_version}"

    @classmethod
    def parse(cls, file_name: str) -> PlanKey | None:
        """The key of a file of that name; None for another name."""
        match = _NAME.fullmatch(file_name)
        if match is None:
            return None
        capability = match["capability"]
        return cls(match["version"], f"{capability[:-1]}.{capability[-1]}", match["digest"])


def plan_digest(model: ModelFolder) -> str:
    """Twelve hexadecimal digits that change with the weights, the graph, the precision and the profiles."""
    facts = {
        "rules": RULES,
        "fingerprint": model.card.fingerprint,
        "precision": model.card.precision,
        "profiles": [asdict(profile) for profile in bucket_profiles(model)],
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:DIGEST_LENGTH]


def find_plans(folder: Path) -> list[PlanKey]:
    """Keys of the plans in a folder, sorted."""
    keys = (PlanKey.parse(file.name) for file in folder.glob("*.plan"))
    return sorted(key for key in keys if key is not None)


def version_order(version: str) -> tuple[int, ...]:
    """To compare versions by their numbers."""
    return tuple(map(int, version.split(".")))
