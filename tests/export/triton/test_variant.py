"""A repository for Triton, written from the committed one; the embedded engine still runs it."""

from __future__ import annotations

import shutil

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from export.target import PlanOptions, TargetOptions
from export.tensorrt.eligibility import UnsupportedModel
from export.tensorrt.graph import write_standard_graph
from export.tensorrt.plan_file import STANDARD_FILE, PlanKey, plan_digest
from export.tensorrt.plan_shop import PlansMissing
from export.triton import variant
from export.triton.variant import say_nothing, write_variant
from service.engine.onnx import OnnxEngine
from service.engine.warmup import warmup_batches
from service.fingerprint import WEIGHTS_FILE
from service.repository import MODEL_FILE, read_config, read_model, read_repository
from tests.export.committed import rows_for, run
from tests.repository import REPOSITORY

CUDA, ACCELERATED, PLANS = (
    TargetOptions("triton-onnx"),
    TargetOptions("triton-onnx", "tensorrt"),
    TargetOptions("triton-tensorrt"),
)


def plan_options(tmp_path, **plans):
    return TargetOptions("triton-tensorrt", plans=PlanOptions(timing_cache=tmp_path / "timings", **plans))


@pytest.fixture(scope="module", params=[CUDA, ACCELERATED], ids=["cuda", "tensorrt"])
def written(request, tmp_path_factory):
    out = tmp_path_factory.mktemp("variant")
    write_variant(REPOSITORY, out, request.param, say_nothing)
    return out


async def embed_warmups(repository):
    models = read_repository(repository)
    engine = OnnxEngine(models, threads=1)
    await engine.start()
    try:
        return {name: await engine.infer(name, next(warmup_batches(model))) for name, model in models.items()}
    finally:
        await engine.close()


async def test_the_embedded_engine_still_runs_it(written):
    found, expected = await embed_warmups(written), await embed_warmups(REPOSITORY)
    for name, output in expected.items():
        np.testing.assert_array_equal(found[name], output)


def test_cards_tokenizers_labels_and_graphs_are_those_of_the_source(written):
    for file in REPOSITORY.rglob("*"):
        path = written / file.relative_to(REPOSITORY)
        if file.is_file() and file.name != "config.pbtxt" and "warmup" not in file.parts:
            assert path.read_bytes() == file.read_bytes()
    assert [path.name for path in written.iterdir() if path.name.startswith(".")] == []


def test_the_source_stays_as_it_was(two_models, tmp_path, tensorrt):
    before = {file: file.read_bytes() for file in two_models.rglob("*") if file.is_file()}
    write_variant(two_models, tmp_path / "out", plan_options(tmp_path), say_nothing)
    for options in (ACCELERATED, plan_options(tmp_path), CUDA):
        write_variant(tmp_path / "out", tmp_path / "out", options, say_nothing)
    assert {file: file.read_bytes() for file in two_models.rglob("*") if file.is_file()} == before


def test_warm_up_files_are_as_long_as_triton_asks(written):
    for name, model in read_repository(written).items():
        files = set()
        for warmup in model.config.model_warmup:
            for tensor in warmup.inputs.values():
                if tensor.input_data_file:
                    data = (written / name / "warmup" / tensor.input_data_file).read_bytes()
                    assert len(data) >= 8 * int(np.prod(tensor.dims))
                    files.add(tensor.input_data_file)
        folder = written / name / "warmup"
        assert files == ({path.name for path in folder.iterdir()} if folder.exists() else set())


def test_warm_up_rows_hold_words_and_their_own_number_of_samples(written):
    words = np.fromfile(written / "text" / "warmup" / "tokens", dtype="<i8")
    assert len(words) == 71
    assert words.min() >= 4
    for warmup in read_model(written / "audio").config.model_warmup:
        file = written / "audio" / "warmup" / warmup.inputs["num_samples"].input_data_file
        assert np.fromfile(file, dtype="<i8").tolist() == list(warmup.inputs["waveform"].dims)


def test_the_accelerator_s_graph_has_the_names_of_the_contract(tmp_path):
    write_variant(REPOSITORY, tmp_path, ACCELERATED, say_nothing)
    for name, model in read_repository(tmp_path).items():
        rows = rows_for(model, 2, 9, 20_000)
        found, expected = run(tmp_path / name / STANDARD_FILE, rows), run(model.onnx_path, rows)
        assert np.abs(found - expected).max() <= 1e-5 * max(1, np.abs(expected).max())


def test_weights_beside_the_graph_are_shared(tmp_path):
    shutil.copytree(REPOSITORY / "text", tmp_path / "text")
    model = read_model(tmp_path / "text")
    ir.save(ir.load(model.onnx_path), model.onnx_path, external_data=WEIGHTS_FILE)
    rows = rows_for(model, 2, 9, 16_000)
    expected, size = run(model.onnx_path, rows), (model.path / "1" / WEIGHTS_FILE).stat().st_size
    path = write_standard_graph(model)
    assert path.stat().st_size < size / 10
    files = {file.name for file in path.parent.iterdir()}
    assert files == {"model.onnx", WEIGHTS_FILE, "standard.onnx"}
    assert np.abs(run(path, rows) - expected).max() <= 1e-5
    np.testing.assert_array_equal(run(model.onnx_path, rows), expected)
    onnx.checker.check_model(path)


def test_plans_are_built_and_onnx_stays_as_the_other_configuration(two_models, tmp_path, tensorrt):
    lines = []
    write_variant(two_models, tmp_path / "out", plan_options(tmp_path), lines.append)
    assert [line.split(":")[0] for line in lines] == ["text", "image"]
    assert all("TensorRT 10.3.0 on 9.0" in line for line in lines)
    for name, model in read_repository(tmp_path / "out").items():
        assert model.config.backend == "tensorrt"
        assert (model.path / "1" / model.config.cc_model_filenames["9.0"]).is_file()
        fallback = read_config(tmp_path / "out" / name / "configs" / "onnx.pbtxt")
        assert fallback.backend == "onnxruntime"


async def test_the_embedded_engine_runs_a_repository_of_plans(two_models, tmp_path, tensorrt):
    write_variant(two_models, tmp_path / "out", plan_options(tmp_path), say_nothing)
    found, expected = await embed_warmups(tmp_path / "out"), await embed_warmups(two_models)
    for name, output in expected.items():
        np.testing.assert_array_equal(found[name], output)


def test_without_tensorrt_onnx_runtime_goes_on_and_it_is_said(tmp_path, no_tensorrt, caplog):
    write_variant(REPOSITORY, tmp_path, PLANS, say_nothing)
    assert "pip install tensorrt" in caplog.text
    assert {model.config.backend for model in read_repository(tmp_path).values()} == {"onnxruntime"}


def test_required_plans_that_can_not_be_had_leave_nothing(tmp_path, no_tensorrt):
    with pytest.raises(PlansMissing, match="no plan for 'text'"):
        write_variant(REPOSITORY, tmp_path / "out", plan_options(tmp_path, required=True), say_nothing)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_plan_that_was_built_elsewhere_is_taken_up_in_place(tmp_path, no_tensorrt):
    out = tmp_path / "out"
    write_variant(REPOSITORY, out, plan_options(tmp_path, build=False), say_nothing)
    image = read_model(out / "image")
    name = PlanKey("10.3.0", "8.9", plan_digest(image)).file_name
    (out / "image" / "1" / name).write_bytes(b"built by trtexec")
    write_variant(out, out, plan_options(tmp_path, build=False), say_nothing)
    backends = {name: model.config.backend for name, model in read_repository(out).items()}
    assert backends == dict.fromkeys(backends, "onnxruntime") | {"image": "tensorrt"}
    write_variant(out, out, CUDA, say_nothing)
    assert not (out / "image" / "configs").exists()
    assert not (out / "image" / STANDARD_FILE).exists()


def write_text_of_precision(folder, precision):
    shutil.copytree(REPOSITORY / "text", folder / "text")
    card = folder / "text" / "card.json"
    card.write_text(card.read_text().replace('"precision": "fp32"', f'"precision": "{precision}"'))


@pytest.mark.parametrize("options", [ACCELERATED, PLANS])
def test_int8_is_refused_before_anything_is_copied(tmp_path, options):
    write_text_of_precision(tmp_path / "from", "int8")
    with pytest.raises(UnsupportedModel, match="MatMulNBits"):
        write_variant(tmp_path / "from", tmp_path / "out", options, say_nothing)
    assert not (tmp_path / "out").exists()
    write_variant(tmp_path / "from", tmp_path / "out", CUDA, say_nothing)


def test_bfloat16_is_refused_for_the_accelerator_alone(tmp_path):
    write_text_of_precision(tmp_path / "from", "bf16")
    with pytest.raises(UnsupportedModel, match="bfloat16"):
        write_variant(tmp_path / "from", tmp_path / "out", ACCELERATED, say_nothing)
    assert not (tmp_path / "out").exists()
    write_variant(tmp_path / "from", tmp_path / "out", CUDA, say_nothing)


def test_a_failure_leaves_the_older_repository(tmp_path, monkeypatch):
    out = tmp_path / "out"
    shutil.copytree(REPOSITORY, out)
    before = {file: file.stat().st_mtime_ns for file in sorted(out.rglob("*"))}

    def fail(*_):
        raise OSError("no space left")

    monkeypatch.setattr(variant, "write_warmup_files", fail)
    with pytest.raises(OSError, match="no space"):
        write_variant(REPOSITORY, out, CUDA, say_nothing)
    assert {file: file.stat().st_mtime_ns for file in sorted(out.rglob("*"))} == before
    assert (out / "text" / MODEL_FILE).is_file()
