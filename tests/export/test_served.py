"""The gateway on an export of all eight models: the question endpoints against ONNX Runtime on rows made here."""

from __future__ import annotations

import io

import httpx
import numpy as np
import pytest
import soundfile
from PIL import Image
from tokenizers import Tokenizer

from service.repository import read_repository
from tests.export.exported import open_session, run_session
from tests.service.live_server import live_server

QUESTION = "what is this?"


def pixels(seed, size):
    return np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)


def png(array):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG")
    return buffer.getvalue()


def sound():
    return np.random.default_rng(5).normal(0, 0.1, 20_000).astype(np.float32)


def wav(samples):
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, 16_000, format="WAV", subtype="FLOAT")
    return buffer.getvalue()


def heard(samples):
    """The specification's normalisation."""
    return ((samples - samples.mean()) / np.sqrt(samples.var() + 1e-5)).astype(np.float32)


def channels_first(array):
    return array.transpose(2, 0, 1)[None]


def softmax(logits):
    exponents = np.exp(logits - logits.max())
    return exponents / exponents.sum()


@pytest.fixture(scope="module")
def served(repository):
    with live_server(repository) as server, httpx.Client(base_url=server.url, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def run(repository):
    """Runs one row through a model's own file."""

    def run_model(name, **inputs):
        return run_session(open_session(repository / name), inputs)[0]

    return run_model


@pytest.fixture(scope="module")
def tokens(repository):
    def encode(name, text):
        ids = Tokenizer.from_file(str(repository / name / "tokenizer.json")).encode(text).ids
        return np.array([ids], dtype=np.int64)

    return encode


def size_of(repository, name):
    return read_repository(repository)[name].card.image_size


def test_vqa_gives_the_best_answers_with_their_sigmoids(served, run, tokens, repository):
    image = pixels(1, size_of(repository, "vqa"))
    logits = run("vqa", pixels=channels_first(image), tokens=tokens("vqa", QUESTION))
    order = np.argsort(-logits)[:3]
    answer = served.post("/vqa", files={"image": ("x", png(image))}, data={"question": QUESTION, "top_k": "3"}).json()
    assert [entry["label"] for entry in answer["labels"]] == [f"answer {i}" for i in order]
    probabilities = [entry["probability"] for entry in answer["labels"]]
    np.testing.assert_allclose(probabilities, 1 / (1 + np.exp(-logits[order])), atol=1e-4)


def test_audio_qa_ranks_the_candidates(served, run, tokens):
    samples, candidates = sound(), ["a dog", "two bells ringing", "rain"]
    row = {"waveform": heard(samples)[None], "num_samples": np.array([[len(samples)]])}
    scores = np.array(
        [run("audio_qa", **row, tokens=tokens("audio_qa", f"{QUESTION} answer: {c}"))[0] for c in candidates]
    )
    fields = [("audio", ("x", wav(samples))), ("question", (None, QUESTION))]
    answer = served.post("/audio/qa", files=fields + [("candidate", (None, c)) for c in candidates]).json()
    found = {entry["label"]: entry["probability"] for entry in answer["labels"]}
    np.testing.assert_allclose([found[c] for c in candidates], softmax(scores), atol=1e-4)
    assert answer["labels"][0]["label"] == candidates[int(scores.argmax())]


@pytest.mark.parametrize(
    ("question", "candidates", "pointers"),
    [
        ("?" * 40_000, ["yes"] * 100, ["/question"]),
        ("?" * 30_000, ["yes", "y" * 5_000, "no"], ["/candidates/1"]),
    ],
)
def test_questions_too_long_are_refused_where_they_stand(served, question, candidates, pointers):
    fields = [("audio", ("x", wav(sound()))), ("question", (None, question))]
    answer = served.post("/audio/qa", files=fields + [("candidate", (None, c)) for c in candidates])
    assert answer.status_code == 422
    assert [(error["code"], error["pointer"]) for error in answer.json()["errors"]] == [
        ("invalid_text", pointer) for pointer in pointers
    ]


def test_image_pair_gives_the_probability_of_truth(served, run, tokens, repository):
    size = size_of(repository, "image_pair")
    first, second = pixels(1, size), pixels(2, size)
    inputs = {"pixels": channels_first(first), "pixels_2": channels_first(second)}
    logits = run("image_pair", **inputs, tokens=tokens("image_pair", "both are noise"))
    files = {"image": ("a", png(first)), "image_2": ("b", png(second))}
    answer = served.post("/image-pair", files=files, data={"text": "both are noise"}).json()
    assert answer["probability"] == pytest.approx(softmax(logits)[0], abs=1e-4)


def test_ground_and_audio_labels_give_what_their_files_give(served, run, tokens, repository):
    image = pixels(3, size_of(repository, "grounding"))
    box = run("grounding", pixels=channels_first(image), tokens=tokens("grounding", "the cow"))
    answer = served.post("/ground", files={"image": ("x", png(image))}, data={"phrase": "the cow"}).json()
    np.testing.assert_allclose(list(answer["boxes"][0]["box_normalized"].values()), box, atol=1e-4)
    samples = sound()
    row = {"waveform": heard(samples)[None], "num_samples": np.array([[len(samples)]])}
    probabilities = softmax(run("audio_labels", **row))
    answer = served.post("/audio/labels", files={"audio": ("x", wav(samples))}, data={"top_k": "11"}).json()
    found = {entry["label"]: entry["probability"] for entry in answer["labels"]}
    np.testing.assert_allclose([found[f"sound {i}"] for i in range(11)], probabilities, atol=1e-4)


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("/vqa", {"image": "AAAA", "question": "x"}, "/image"),
        ("/audio/qa", {"audio": "AAAA", "question": "x", "candidates": ["a"]}, "/audio"),
        ("/image-pair", {"image": "AAAA", "image_2": "AAAA", "text": "x"}, "/image"),
        ("/audio/qa", {"audio": "AAAA", "question": "x", "candidates": []}, "/candidates"),
    ],
)
def test_bad_input_to_the_questions_is_pointed_at(served, path, body, pointer):
    answer = served.post(path, json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer
