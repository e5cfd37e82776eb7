"""Models that fail on certain inputs: the committed ones with a table that is read beyond its end when they come."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from service.fingerprint import card_fingerprint
from service.repository import CARD_FILE, CONFIG_FILE, read_card, read_config, write_config
from tests.repository import REPOSITORY

BEYOND = 1_000_000
Nodes = list[onnx.NodeProto]


def write_poisonable(repository: Path, names: tuple[str, ...] = ("image", "audio")) -> None:
    """Copies of committed models. `image` fails on an all-black picture, `audio` on silence, at run time."""
    for name in names:
        folder = repository / name
        shutil.copytree(REPOSITORY / name, folder)
        path = folder / "1" / "model.onnx"
        model = onnx.load(path)
        add_trap(model.graph, TRAPS[name])
        onnx.checker.check_model(model)
        onnx.save(model, path)
        seal(folder)


def add_trap(graph: onnx.GraphProto, trap: Callable[[], Nodes]) -> None:
    """Add table[0], which is 0, to the output; or table[BEYOND], which is not there, for a row that is poison."""
    (output,) = graph.output
    for node in graph.node:
        for place, name in enumerate(node.output):
            if name == output.name:
                node.output[place] = "untrapped"
    graph.initializer.extend(
        [
            numpy_helper.from_array(np.zeros(1, np.float32), "trap_table"),
            numpy_helper.from_array(np.array(BEYOND, np.int64), "trap_beyond"),
            numpy_helper.from_array(np.array(0, np.int64), "trap_zero"),
            numpy_helper.from_array(np.array([1], np.int64), "trap_axes"),
        ]
    )
    graph.node.extend(
        [
            *trap(),
            helper.make_node("Where", ["trap_is_poison", "trap_beyond", "trap_zero"], ["trap_place"]),
            helper.make_node("Gather", ["trap_table", "trap_place"], ["trap_value"]),
            helper.make_node("Add", ["untrapped", "trap_value"], [output.name]),
        ]
    )


def _black() -> Nodes:
    return [
        helper.make_node("Cast", ["pixels"], ["trap_pixels"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["trap_pixels"], ["trap_flat"]),
        *_never_above_zero(),
    ]


def _silent() -> Nodes:
    return [helper.make_node("Abs", ["waveform"], ["trap_flat"]), *_never_above_zero()]


def _never_above_zero() -> Nodes:
    return [
        helper.make_node("ReduceMax", ["trap_flat", "trap_axes"], ["trap_most"], keepdims=1),
        helper.make_node("Cast", ["trap_most"], ["trap_any"], to=TensorProto.BOOL),
        helper.make_node("Not", ["trap_any"], ["trap_is_poison"]),
    ]


TRAPS = {"image": _black, "audio": _silent}


def seal(folder: Path) -> None:
    """Write the fingerprint of the files as they are now into card and configuration."""
    card = read_card(folder / CARD_FILE)
    print_now = card_fingerprint(folder, card)
    fields = json.loads((folder / CARD_FILE).read_text()) | {"fingerprint": print_now}
    (folder / CARD_FILE).write_text(json.dumps(fields))
    config = read_config(folder / CONFIG_FILE)
    config.parameters["fingerprint"].string_value = print_now
    write_config(config, folder / CONFIG_FILE)
