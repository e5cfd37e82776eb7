"""The official client: every form of input gives what `/embed` gives."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import openai
import pytest
from tokenizers import Tokenizer

from tests.repository import REPOSITORY
from tests.service.live_server import LiveServer, live_server
from tests.service.media_files import clip, encoded, picture

MODEL = "one-peace"
IMAGE, AUDIO = encoded(picture(1)), encoded(clip(1))
IMAGE_URI, AUDIO_URI = f"data:image/png;base64,{IMAGE}", f"data:audio/wav;base64,{AUDIO}"
TEXT_PART = {"type": "text", "text": "a cow"}
IMAGE_PART = {"type": "image_url", "image_url": {"url": IMAGE_URI, "detail": "high"}}
AUDIO_PART = {"type": "input_audio", "input_audio": {"data": AUDIO, "format": "mp3"}}
FORMS: dict[str, tuple[Any, dict[str, Any]]] = {
    "string": ("a cow", {"text": "a cow"}),
    "empty string": ("", {"text": ""}),
    "text": ({"text": "a cow"}, {"text": "a cow"}),
    "image": ({"image": IMAGE}, {"image": IMAGE}),
    "image as data URI": ({"image": IMAGE_URI}, {"image": IMAGE}),
    "audio": ({"audio": AUDIO}, {"audio": AUDIO}),
    "parts": (
        {"parts": [{"text": "a"}, {"text": "b"}], "weights": [1, 3]},
        {"parts": [{"text": "a"}, {"text": "b"}], "weights": [1, 3]},
    ),
    "text part": (TEXT_PART, {"text": "a cow"}),
    "image part": (IMAGE_PART, {"image": IMAGE}),
    "input_audio part": (AUDIO_PART, {"audio": AUDIO}),
    "audio_url part": ({"type": "audio_url", "audio_url": {"url": AUDIO_URI}}, {"audio": AUDIO}),
    "content": (
        {"content": [TEXT_PART, IMAGE_PART, AUDIO_PART]},
        {"parts": [{"text": "a cow"}, {"image": IMAGE}, {"audio": AUDIO}]},
    ),
    "content of one part": ({"content": [IMAGE_PART]}, {"image": IMAGE}),
    "content as string": ({"content": "a cow"}, {"text": "a cow"}),
}


def token_ids(text: str) -> list[int]:
    ids: list[int] = Tokenizer.from_file(str(REPOSITORY / "text" / "tokenizer.json")).encode(text).ids
    return ids


def plain(client: httpx.Client, *items: dict[str, Any]) -> np.ndarray:
    answer = client.post("/embed", json={"inputs": list(items)})
    assert answer.status_code == 200, answer.text
    return np.array([datum["embedding"] for datum in answer.json()["data"]])


def vectors(answer: openai.types.CreateEmbeddingResponse) -> np.ndarray:
    assert answer.object == "list"
    assert [datum.index for datum in answer.data] == list(range(len(answer.data)))
    assert {datum.object for datum in answer.data} == {"embedding"}
    return np.array([datum.embedding for datum in answer.data])


@pytest.mark.parametrize("form", FORMS)
def test_each_form_gives_what_embed_gives(official: openai.OpenAI, client: httpx.Client, form: str) -> None:
    given, item = FORMS[form]
    answer = official.embeddings.create(model=MODEL, input=given)
    np.testing.assert_allclose(vectors(answer), plain(client, item), atol=1e-6)


def test_forms_mix_in_one_list_and_keep_their_order(official: openai.OpenAI, client: httpx.Client) -> None:
    answer = official.embeddings.create(model=MODEL, input=[given for given, _ in FORMS.values()])
    np.testing.assert_allclose(vectors(answer), plain(client, *(item for _, item in FORMS.values())), atol=1e-6)


def test_token_ids_give_what_their_text_gives(official: openai.OpenAI, client: httpx.Client) -> None:
    ids = token_ids("a brown dog")
    expected = plain(client, {"text": "a brown dog"})
    for given in (ids, ids[:-1], [ids], [ids[:-1]]):
        answer = official.embeddings.create(model=MODEL, input=given)
        np.testing.assert_allclose(vectors(answer), expected, atol=1e-6)
        assert answer.usage.prompt_tokens == len(ids) - 1


def test_long_token_lists_are_cut_like_long_texts(official: openai.OpenAI, client: httpx.Client) -> None:
    text = "a brown dog " * 100
    unlimited = Tokenizer.from_file(str(REPOSITORY / "text" / "tokenizer.json"))
    unlimited.no_truncation()
    answer = official.embeddings.create(model=MODEL, input=unlimited.encode(text).ids)
    np.testing.assert_allclose(vectors(answer), plain(client, {"text": text}), atol=1e-6)
    assert answer.data[0].model_extra == {"input": {"tokens": 70, "truncated": True}}


def test_an_end_token_alone_is_a_text(official: openai.OpenAI) -> None:
    answer = official.embeddings.create(model=MODEL, input=[2])
    assert np.linalg.norm(vectors(answer)) == pytest.approx(1.0, abs=1e-5)


def test_base64_and_float_are_the_same_numbers(official: openai.OpenAI) -> None:
    by_default, as_float, as_base64 = (
        official.embeddings.create(model=MODEL, input="a cow", **more)
        for more in ({}, {"encoding_format": "float"}, {"encoding_format": "base64"})
    )
    raw: Any = as_base64.data[0].embedding
    decoded = np.frombuffer(base64.b64decode(raw), "<f4")
    np.testing.assert_array_equal(decoded, np.array(as_float.data[0].embedding, dtype=np.float32))
    np.testing.assert_array_equal(decoded, np.array(by_default.data[0].embedding, dtype=np.float32))


def test_our_own_encodings_are_those_of_embed(official: openai.OpenAI, client: httpx.Client) -> None:
    for encoding in ("int8", "binary"):
        answer = official.embeddings.create(model=MODEL, input="a cow", encoding_format=encoding)
        wanted = client.post("/embed", json={"inputs": [{"text": "a cow"}], "encoding": encoding}).json()
        assert answer.data[0].embedding == wanted["data"][0]["embedding"]


def test_usage_counts_ids_of_texts_alone(official: openai.OpenAI) -> None:
    count = len(token_ids("a brown dog")) - 1
    both = {"content": [{"type": "text", "text": "a brown dog"}, IMAGE_PART]}
    answer = official.embeddings.create(model=MODEL, input=["a brown dog", both, {"image": IMAGE}, {"audio": AUDIO}])
    assert (answer.usage.prompt_tokens, answer.usage.total_tokens) == (2 * count, 2 * count)


def test_the_answer_names_its_model_and_request(official: openai.OpenAI, client: httpx.Client) -> None:
    answer = official.embeddings.create(model=MODEL, input="x", user="me", extra_headers={"X-Request-Id": "order-42"})
    assert answer.model == MODEL
    assert answer._request_id == "order-42"
    assert (answer.model_extra or {})["fingerprint"] == client.get("/info").json()["fingerprint"]


def test_all_dimensions_may_be_asked_for_and_others_are_refused(official: openai.OpenAI) -> None:
    assert len(official.embeddings.create(model=MODEL, input="x", dimensions=128).data[0].embedding) == 128
    with pytest.raises(openai.BadRequestError, match="not trained for vectors of 64 numbers") as caught:
        official.embeddings.create(model=MODEL, input="x", dimensions=64)
    assert (caught.value.param, caught.value.code) == ("dimensions", "invalid_field")


def test_dimensions_that_the_cards_allow_shorten_the_vectors(official: openai.OpenAI, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    shutil.copytree(REPOSITORY, repository)
    for model in ("text", "image", "audio"):
        card = repository / model / "card.json"
        card.write_text(json.dumps(json.loads(card.read_text()) | {"trained_dimensions": [64]}))
    with live_server(repository) as server, openai.OpenAI(base_url=f"{server.url}/v1", api_key="none") as other:
        short = vectors(other.embeddings.create(model=MODEL, input=["a cow", {"image": IMAGE}], dimensions=64))
    heads = vectors(official.embeddings.create(model=MODEL, input=["a cow", {"image": IMAGE}]))[:, :64]
    np.testing.assert_allclose(short, heads / np.linalg.norm(heads, axis=1, keepdims=True), atol=1e-5)


def test_options_that_are_null_are_left_out(client: httpx.Client) -> None:
    body = {"model": MODEL, "input": "x", "dimensions": None, "encoding_format": None, "user": None, "messages": None}
    answer = client.post("/v1/embeddings", json=body)
    assert isinstance(answer.json()["data"][0]["embedding"], list)


def test_one_message_gives_one_vector(client: httpx.Client) -> None:
    message = {"role": "user", "content": [TEXT_PART, IMAGE_PART]}
    answer = client.post("/v1/embeddings", json={"model": MODEL, "messages": [message]}).json()
    expected = plain(client, {"parts": [{"text": "a cow"}, {"image": IMAGE}]})
    np.testing.assert_allclose([datum["embedding"] for datum in answer["data"]], expected, atol=1e-6)


@pytest.mark.parametrize(("modality", "given"), [("image", IMAGE_URI), ("audio", AUDIO), ("text", "a cow")])
def test_a_modality_says_what_strings_are(
    official: openai.OpenAI, client: httpx.Client, modality: str, given: str
) -> None:
    answer = official.embeddings.create(model=MODEL, input=[given], extra_body={"modality": modality})
    np.testing.assert_allclose(vectors(answer), plain(client, {modality: given}), atol=1e-6)


async def test_the_async_client_works_too(server: LiveServer, client: httpx.Client) -> None:
    async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none") as official:
        answer = await official.embeddings.create(model=MODEL, input=["a cow", "a dog"])
        assert [model.id async for model in official.models.list()] == [MODEL]
    np.testing.assert_allclose(vectors(answer), plain(client, {"text": "a cow"}, {"text": "a dog"}), atol=1e-6)


def test_the_model_is_listed_and_found(official: openai.OpenAI) -> None:
    (listed,) = official.models.list()
    assert listed == official.models.retrieve(MODEL)
    assert (listed.id, listed.object, listed.owned_by) == (MODEL, "model", "onepeace")
    assert listed.created > 1_700_000_000


def test_embed_takes_token_ids_too(client: httpx.Client) -> None:
    both = plain(client, {"tokens": token_ids("a cow")}, {"parts": [{"tokens": token_ids("a cow")[:-1]}]})
    np.testing.assert_allclose(both, plain(client, {"text": "a cow"}, {"text": "a cow"}), atol=1e-6)


def test_the_openapi_document_describes_the_format(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    operation = document["paths"]["/v1/embeddings"]["post"]
    reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    assert document["components"]["schemas"][reference]["additionalProperties"] is False
    assert {"200", "400", "404", "413", "429", "503", "504"} <= operation["responses"].keys()
    assert "422" not in operation["responses"]
    assert {"/v1/models", "/v1/models/{model}"} <= document["paths"].keys()
