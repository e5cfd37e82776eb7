"""A TensorRT that needs no GPU: its plans name the graph, and its engines run it in ONNX Runtime on the CPU.

It has the names that `export/tensorrt` uses and nothing else; they were compared with the bindings of TensorRT
10.3, 10.16 and 11.4. Profiles are held to: a shape outside of them is refused.
"""

from __future__ import annotations

import json
from enum import IntEnum
from pathlib import Path
from typing import ClassVar

import numpy as np

from tests.export.committed import run


class NetworkDefinitionCreationFlag(IntEnum):
    STRONGLY_TYPED = 1


class MemoryPoolType(IntEnum):
    WORKSPACE = 0


class BuilderFlag(IntEnum):
    TF32 = 6


class Logger:
    WARNING = 2

    def __init__(self, severity):
        self.severity = severity


class Profile:
    def __init__(self):
        self.shapes = {}

    def set_shape(self, name, smallest, tuned, largest):
        if not all(low <= middle <= high for low, middle, high in zip(smallest, tuned, largest, strict=True)):
            raise ValueError(f"{name}: {smallest} {tuned} {largest}")
        self.shapes[name] = (smallest, tuned, largest)


class TimingCache:
    def __init__(self, content):
        self.content = content

    def serialize(self):
        return self.content + b"+"


class Config:
    def __init__(self):
        self.profiles, self.flags, self.pools, self.cache = [], {BuilderFlag.TF32}, {}, None

    def set_memory_pool_limit(self, pool, size):
        self.pools[pool] = size

    def clear_flag(self, flag):
        self.flags.discard(flag)

    def add_optimization_profile(self, profile):
        self.profiles.append(profile.shapes)
        return len(self.profiles) - 1

    def create_timing_cache(self, content):
        return TimingCache(content)

    def set_timing_cache(self, cache, ignore_mismatch):
        if cache.content.startswith(b"another GPU") and not ignore_mismatch:
            return False
        self.cache = cache
        return True


class Network:
    def __init__(self, flags):
        self.flags, self.graph = flags, None


class OnnxParser:
    def __init__(self, network, log):
        self.network, self.errors = network, []

    @property
    def num_errors(self):
        return len(self.errors)

    def get_error(self, number):
        return self.errors[number]

    def parse_from_file(self, path):
        if not Path(path).read_bytes():
            self.errors.append("the file is empty")
        self.network.graph = path
        return not self.errors


class Builder:
    configs: ClassVar[list[Config]] = []

    def __init__(self, log):
        self.log = log

    def create_network(self, flags):
        return Network(flags)

    def create_builder_config(self):
        self.configs.append(Config())
        return self.configs[-1]

    def create_optimization_profile(self):
        return Profile()

    def build_serialized_network(self, network, config):
        # kept by content, for the folder is renamed when the export is done
        facts = {"graph": Path(network.graph).read_bytes().hex(), "profiles": config.profiles}
        return json.dumps(facts).encode()


class Runtime:
    def __init__(self, log):
        self.log = log

    def deserialize_cuda_engine(self, plan):
        return Engine(json.loads(plan))


class Engine:
    def __init__(self, facts):
        self.facts = facts

    @property
    def num_optimization_profiles(self):
        return len(self.facts["profiles"])

    def get_tensor_profile_shape(self, name, index):
        return self.facts["profiles"][index][name]

    def create_execution_context(self):
        return Context(self)


class Context:
    def __init__(self, engine):
        self.engine, self.profile, self.shapes, self.addresses = engine, 0, {}, {}

    def set_optimization_profile_async(self, index, stream):
        self.profile = index
        return True

    def set_input_shape(self, name, shape):
        smallest, _, largest = self.engine.get_tensor_profile_shape(name, self.profile)
        self.shapes[name] = shape
        return all(low <= size <= high for low, size, high in zip(smallest, shape, largest, strict=True))

    def set_tensor_address(self, name, address):
        self.addresses[name] = address
        return True

    def get_tensor_shape(self, output):
        self.output = output
        return self._run().shape

    def execute_async_v3(self, stream):
        Device.memory[self.addresses[self.output]] = self._run() + Device.error
        return True

    def _run(self):
        rows = {name: Device.memory[self.addresses[name]] for name in self.shapes}
        return run(bytes.fromhex(self.engine.facts["graph"]), rows)


class Device:
    """Memory by address; `error` is added to every output, to see whether somebody looks."""

    memory: ClassVar[dict[int, np.ndarray]] = {}
    error = 0.0
    compute_capability = "9.0"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.free()

    def upload(self, values):
        self.memory[len(self.memory) + 1] = values
        return len(self.memory)

    def allocate(self, size_bytes):
        return self.upload(np.empty(size_bytes, np.uint8))

    def download(self, address, shape):
        return self.memory[address].reshape(shape)

    def free(self):
        self.memory.clear()


__version__ = "10.3.0"
