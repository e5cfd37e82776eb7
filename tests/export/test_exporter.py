"""The exported repository: contract, numbers, independence of rows, determinism."""

from __future__ import annotations

import shutil
from typing import get_args

import numpy as np
import onnx
import pytest

from export import artifact
from export.agreement import Verdict, compare
from export.exporter import ExportError, ExportRequest, export_repository, open_checkpoint, read_labels
from export.one_peace.checkpoint import load_checkpoint
from export.one_peace.config import HeadConfig
from export.one_peace.random_checkpoint import random_config, write_random_checkpoint
from export.verifier import verify_model
from service.fingerprint import WEIGHTS_FILE
from service.repository import CONTRACTS, MODEL_FILE, Precision, read_repository
from tests.export.exported import open_session, run_session, write_bytes_vocabulary
from tests.export.random_models import CLASSIFY_CONFIGS, batch_rows, quick, random_rows
from tests.export.test_model import EMBEDDINGS, GOLDEN_FILES, names_of
from tests.golden import GOLDEN, needs_golden


def export(workshop, out, precision="fp32", role="checkpoint", verify=False):
    checkpoints = {role: workshop / f"{role}.pt"}
    return export_repository(ExportRequest(workshop / "bpe", out, checkpoints, {}, precision, verify))


@pytest.fixture(scope="module")
def golden_repository(golden_retrieval, tmp_path_factory):
    """All models of the reference's checkpoints."""
    out = tmp_path_factory.mktemp("golden")
    shutil.copytree(golden_retrieval, out / "repository")
    # their vocabulary has 600 rows, less than the released tokenizer's ids
    (out / "bpe").mkdir()
    write_bytes_vocabulary(out / "bpe")
    for role, file in GOLDEN_FILES.items():
        checkpoints = {role: GOLDEN / f"{file}.pt"}
        export_repository(ExportRequest(out / "bpe", out / "repository", checkpoints, verify=False))
    return out / "repository"


@needs_golden
def test_every_golden_file_passes_in_onnx_runtime(golden_repository):
    expected = np.load(GOLDEN / "retrieval.npz")
    for name in EMBEDDINGS:
        found = run_session(open_session(golden_repository / name), expected)
        assert np.abs(found - expected[name]).max() <= 2e-5
    for name, file in GOLDEN_FILES.items():
        expected = np.load(GOLDEN / f"{file}.npz")
        found = run_session(open_session(golden_repository / name), expected)
        assert np.abs(found - expected["boxes" if name == "grounding" else "logits"]).max() <= 1e-4


def test_the_repository_is_whole(repository):
    models = read_repository(repository)
    assert set(models) == set(CONTRACTS)
    assert models["audio_labels"].labels[10] == "sound 10"
    assert models["vqa"].labels[13] == "answer 13"
    assert [path.name for path in repository.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("name", CONTRACTS)
def test_tensors_are_those_of_the_contract(repository, name):
    session, contract = open_session(repository / name), CONTRACTS[name]
    types = {"INT64": "tensor(int64)", "UINT8": "tensor(uint8)", "FP32": "tensor(float)"}
    for found, tensor in zip(session.get_inputs(), contract.inputs, strict=True):
        assert (found.name, found.type) == (tensor.name, types[tensor.data_type])
        fixed = [isinstance(size, int) for size in found.shape]
        assert fixed == [False, *(size != -1 for size in tensor.dims)]
    (output,) = session.get_outputs()
    assert (output.name, output.type) == (contract.output.name, "tensor(float)")


@pytest.mark.parametrize("name", CONTRACTS)
def test_a_row_does_not_depend_on_its_batch_in_onnx_runtime(repository, name):
    session = open_session(repository / name)
    rows = random_rows(CLASSIFY_CONFIGS[name].image.image_size if name in CLASSIFY_CONFIGS else 64)
    together = run_session(session, batch_rows(rows, names_of(name)))
    alone = np.concatenate([run_session(session, batch_rows([row], names_of(name), extra=0)) for row in rows])
    assert np.abs(together - alone).max() <= 1e-5


def test_the_longest_inputs_fit(repository):
    longest = {"tokens": np.full((1, 71), 9), "waveform": np.ones((1, 240_000), np.float32)}
    longest["num_samples"] = np.array([[240_000]])
    for name in ("text", "audio"):
        assert np.isfinite(run_session(open_session(repository / name), longest)).all()


def test_a_model_holds_only_its_branch(repository):
    names = [weight.name for weight in onnx.load(repository / "image" / MODEL_FILE).graph.initializer]
    assert any("image" in name for name in names)
    assert not any("audio" in name or "text" in name for name in names)


def test_config_leaves_queueing_to_the_batcher(repository):
    for model in read_repository(repository).values():
        batching = model.config.dynamic_batching
        assert [field.name for field, _ in batching.ListFields()] == ["max_queue_delay_microseconds"]
        rows = [warmup.batch_size for warmup in model.config.model_warmup]
        assert (rows[0], max(rows)) == (1, model.max_batch_size)
    assert read_repository(repository)["text"].length_buckets == (8, 16, 24, 32, 48, 71)


def test_the_fingerprint_is_that_of_the_content(workshop, tmp_path):
    shutil.copytree(workshop / "bpe", tmp_path / "bpe")
    prints = []
    for number, seed in enumerate((0, 0, 9)):
        write_random_checkpoint(tmp_path / "checkpoint.pt", quick(random_config(head_type="text")), seed)
        export(tmp_path, tmp_path / str(number))
        prints.append(read_repository(tmp_path / str(number))["text"].card.fingerprint)
    assert prints[0] == prints[1] != prints[2]


def test_an_export_holds_no_path_of_this_machine(repository, workshop):
    for file in repository.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert str(workshop).encode() not in content
            assert b"site-packages" not in content
            assert b".py" not in content


# model → its role: every kind of weight (tables, convolutions, Gemm, position bias) and a head of two modalities
PRECISION_MODELS = {"text": "checkpoint", "image": "checkpoint", "audio": "checkpoint", "grounding": "grounding"}


@pytest.fixture(scope="module", params=["fp16", "bf16", "int8"])
def narrow(request, workshop, tmp_path_factory):
    """The repository of a precision, and the verdict on each of its models."""
    out = tmp_path_factory.mktemp(request.param)
    checkpoints = {role: workshop / f"{role}.pt" for role in ("checkpoint", "grounding")}
    verdicts = export_repository(ExportRequest(workshop / "bpe", out, checkpoints, {}, request.param, True))
    return request.param, out, {verdict.model: verdict for verdict in verdicts}


def test_precisions_stay_within_tolerance(narrow):
    precision, _, verdicts = narrow
    assert set(verdicts) == set(PRECISION_MODELS)
    for verdict in verdicts.values():
        assert verdict.passed
        assert verdict.precision == precision
        assert verdict.largest_difference > 1e-6


def test_rows_stay_apart_in_every_precision(narrow):
    precision, out, _ = narrow
    for name, role in PRECISION_MODELS.items():
        session = open_session(out / name)
        rows = random_rows(CLASSIFY_CONFIGS[role].image.image_size if role in CLASSIFY_CONFIGS else 64)
        together = run_session(session, batch_rows(rows, names_of(name)))
        alone = np.concatenate([run_session(session, batch_rows([row], names_of(name), extra=0)) for row in rows])
        # a last bit that changes with the length can flip the rounding of an activation to 8 bits
        assert np.abs(together - alone).max() <= {"fp16": 2e-3, "bf16": 1e-5, "int8": 5e-4}[precision]


def test_precisions_make_files_smaller(narrow, repository):
    _, out, _ = narrow
    for name in PRECISION_MODELS:
        sizes = [(folder / name / MODEL_FILE).stat().st_size for folder in (out, repository)]
        assert sizes[0] < 0.75 * sizes[1], name


def test_weights_of_a_large_model_lie_in_a_file_beside_it(workshop, repository, tmp_path, monkeypatch):
    write_random_checkpoint(tmp_path / "checkpoint.pt", quick(random_config(head_type="image")))
    monkeypatch.setattr(artifact, "MAX_SINGLE_FILE_BYTES", 1000)
    request = ExportRequest(workshop / "bpe", tmp_path / "out", {"checkpoint": tmp_path / "checkpoint.pt"}, verify=True)
    (verdict,) = export_repository(request)
    assert verdict.passed
    (tmp_path / "out").rename(tmp_path / "elsewhere")
    graph = onnx.load(tmp_path / "elsewhere" / "image" / MODEL_FILE, load_external_data=False)
    locations = {
        entry.value for weight in graph.graph.initializer for entry in weight.external_data if entry.key == "location"
    }
    assert locations == {WEIGHTS_FILE}
    (tmp_path / "checkpoint.pt").unlink()
    batch = batch_rows(random_rows(), ["pixels"])
    found = run_session(open_session(tmp_path / "elsewhere" / "image"), batch)
    assert np.allclose(np.linalg.norm(found, axis=1), 1)


def test_a_box_that_does_not_follow_its_input_fails():
    expected = np.array([[0.4, 0.45, 0.6, 0.55], [0.5, 0.4, 0.55, 0.6]], np.float32)
    constant = np.broadcast_to(expected.mean(0), expected.shape)
    for precision in get_args(Precision):
        assert Verdict("grounding", precision, *compare(expected, expected)).passed
        assert not Verdict("grounding", precision, *compare(expected, constant)).passed


def test_one_bad_row_of_logits_fails():
    expected = np.random.default_rng(0).normal(size=(8, 20)).astype(np.float32)
    expected[0] /= 100
    found = expected.copy()
    found[0] = -found[0]
    for precision in get_args(Precision):
        assert not Verdict("vqa", precision, *compare(expected, found)).passed


def test_verify_fails_on_a_corrupted_weight(workshop, repository, tmp_path):
    shutil.copytree(repository / "image", tmp_path / "image")
    path = tmp_path / "image" / MODEL_FILE
    graph = onnx.load(path)
    weight = max(graph.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    values = np.frombuffer(weight.raw_data, np.float32).copy()
    values[::7] += 0.5
    weight.raw_data = values.tobytes()
    onnx.save(graph, path)
    assert not verify_model(tmp_path / "image", load_checkpoint(workshop / "checkpoint.pt")).passed


@pytest.mark.parametrize(
    ("role", "config", "message"),
    [
        ("checkpoint", CLASSIFY_CONFIGS["vqa"], "--checkpoint takes the embedding model"),
        ("vqa", random_config(), "--vqa takes a classify model"),
        ("audio_labels", CLASSIFY_CONFIGS["vqa"], "--audio-labels takes head_type 'audio'"),
        ("grounding", CLASSIFY_CONFIGS["vqa"], "--grounding takes 4"),
        ("vqa", CLASSIFY_CONFIGS["image_pair"], "another task"),
        ("image_pair", random_config(head_type="vl", head=HeadConfig(2)), "another task"),
    ],
)
def test_a_checkpoint_of_another_kind_is_refused(tmp_path, role, config, message):
    write_random_checkpoint(tmp_path / "model.pt", config)
    with pytest.raises(ExportError, match=message):
        open_checkpoint(role, tmp_path / "model.pt")


def test_labels_must_fit(tmp_path):
    (tmp_path / "labels").write_text('["a", "b"]')
    assert read_labels(tmp_path / "labels", 2) == ("a", "b")
    with pytest.raises(ExportError, match="2 names for 3 classes"):
        read_labels(tmp_path / "labels", 3)
    (tmp_path / "labels").write_text('{"0": "a", "2": "b"}')
    with pytest.raises(ExportError, match="can't be read"):
        read_labels(tmp_path / "labels", 2)


def test_a_vocabulary_larger_than_the_model_is_refused(workshop, tmp_path):
    shutil.copytree(workshop / "bpe", tmp_path / "bpe")
    write_random_checkpoint(tmp_path / "checkpoint.pt", random_config(head_type="text", vocabulary_size=50))
    with pytest.raises(ExportError, match="only 50"):
        export(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()
