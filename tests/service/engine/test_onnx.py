"""The embedded engine on the small model."""

from __future__ import annotations

import asyncio
import ctypes
import shutil
import threading
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from service.engine.onnx import OnnxEngine, refuse_two_runtimes
from service.engine.protocol import Batch
from service.engine.warmup import warmup_batches
from service.errors import EngineFailure
from service.repository import CONTRACTS, RepositoryError, read_config, read_repository, write_config
from tests.repository import REPOSITORY


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    shutil.copytree(REPOSITORY / "text", tmp_path / "text")
    return tmp_path


def tokens(*ids: int) -> dict[str, np.ndarray]:
    return {"tokens": np.array(ids, dtype=np.int64)}


async def test_a_padded_batch_gives_each_row_what_it_gives_alone(repository: Path) -> None:
    engine = OnnxEngine(read_repository(repository), threads=1)
    await engine.start()
    rows = [tokens(5, 2), tokens(*range(4, 40), 2), tokens(9, 8, 7, 2)]
    together = await engine.infer("text", Batch(rows))
    bucketed = await engine.infer("text", Batch(rows, length=48))
    session = onnxruntime.InferenceSession(str(repository / "text" / "1" / "model.onnx"))
    for row, batched, padded in zip(rows, together, bucketed, strict=True):
        alone = session.run(["embedding"], {"tokens": row["tokens"][None]})[0][0]
        np.testing.assert_allclose(batched, alone, atol=1e-5)
        np.testing.assert_allclose(padded, alone, atol=1e-5)
    await engine.close()


async def test_the_engine_is_ready_only_after_every_model_is_loaded(repository: Path) -> None:
    engine = OnnxEngine(read_repository(repository), threads=1)
    assert not engine.ready()
    await engine.start()
    assert engine.ready()
    await engine.close()
    assert not engine.ready()


async def test_a_thread_that_died_is_noticed(repository: Path, caplog: pytest.LogCaptureFixture) -> None:
    engine = OnnxEngine(read_repository(repository), threads=1)
    await engine.start()
    assert engine.alive()
    (worker,) = [thread for thread in threading.enumerate() if thread.name.startswith("engine")]
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(worker.ident), ctypes.py_object(SystemExit))
    with pytest.raises(TimeoutError):  # it takes this batch and dies with it
        await asyncio.wait_for(engine.infer("text", Batch([tokens(5, 2)])), 2)
    assert not engine.alive()
    await engine.close()


async def test_what_the_runtime_refuses_is_an_engine_failure_without_its_words(repository: Path) -> None:
    engine = OnnxEngine(read_repository(repository), threads=1)
    await engine.start()
    with pytest.raises(EngineFailure) as caught:
        await engine.infer("text", Batch([tokens(10_000_000, 2)]))
    assert "text" in caught.value.detail
    assert "onnx" not in caught.value.detail.lower()
    await engine.close()


async def test_a_damaged_graph_ends_the_start_with_its_path(repository: Path) -> None:
    path = repository / "text" / "1" / "model.onnx"
    path.write_bytes(path.read_bytes()[:1000])
    engine = OnnxEngine(read_repository(repository), threads=1, verify=False)
    with pytest.raises(RepositoryError, match=r"model\.onnx"):
        await engine.start()


async def test_a_graph_with_other_tensors_than_its_config_is_refused(repository: Path) -> None:
    shutil.copy(REPOSITORY / "image" / "1" / "model.onnx", repository / "text" / "1" / "model.onnx")
    engine = OnnxEngine(read_repository(repository), threads=1, verify=False)
    with pytest.raises(RepositoryError, match="tokens"):
        await engine.start()


async def test_weights_that_were_changed_are_refused_unless_told_not_to_look(repository: Path) -> None:
    flip_a_weight(repository / "text" / "1" / "model.onnx")
    models = read_repository(repository)
    with pytest.raises(RepositoryError, match=r"text: .*fingerprint"):
        await OnnxEngine(models, threads=1).start()
    lenient = OnnxEngine(models, threads=1, verify=False)
    await lenient.start()  # the runtime itself sees nothing wrong
    await lenient.close()


def flip_a_weight(path: Path) -> None:
    """One bit in the middle of the file, where the weights are."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


async def test_a_device_that_is_asked_for_and_missing_ends_the_start(repository: Path) -> None:
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has CUDA")
    engine = OnnxEngine(read_repository(repository), threads=1, device="cuda")
    with pytest.raises(RepositoryError, match="CUDA can't be used"):
        await engine.start()


def test_exactly_one_runtime_must_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_two_runtimes()
    monkeypatch.setattr("service.engine.onnx._installed", lambda _: True)
    with pytest.raises(RepositoryError, match="both are"):
        refuse_two_runtimes()


@pytest.mark.parametrize("name", sorted(read_repository(REPOSITORY)))
def test_warm_up_rows_have_the_contracts_tensors(name: str) -> None:
    model = read_repository(REPOSITORY)[name]
    batches = list(warmup_batches(model))
    assert max(len(batch) for batch in batches) > 1
    for batch in batches:
        assert set(batch.tensors()) == {tensor.name for tensor in CONTRACTS[name].inputs}


def test_slots_and_batch_size_come_from_the_config(repository: Path) -> None:
    path = repository / "text" / "config.pbtxt"
    config = read_config(path)
    config.max_batch_size = 3
    config.instance_group[0].count = 2
    write_config(config, path)
    model = read_repository(repository)["text"]
    assert (model.max_batch_size, model.instances) == (3, 2)
