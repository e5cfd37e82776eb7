"""LangChain and LlamaIndex, each with its own OpenAI embeddings, against the live server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import httpx
import numpy as np
import openai
import pytest
from langchain_openai import OpenAIEmbeddings
from llama_index.embeddings.openai import OpenAIEmbedding

from tests.service.live_server import LiveServer
from tests.service.openai.test_client import MODEL, plain

TEXTS = [f"number {index}" for index in range(150)]  # more than the server's max_items


@pytest.fixture
def expected(client: httpx.Client) -> np.ndarray:
    return np.concatenate([plain(client, *({"text": text} for text in some)) for some in (TEXTS[:75], TEXTS[75:])])


@pytest.fixture
async def langchain(server: LiveServer) -> AsyncIterator[Callable[[str], OpenAIEmbeddings]]:
    """Makes embeddings for a model, with connections that are closed in the end."""
    options = {"base_url": f"{server.url}/v1", "api_key": "none"}
    async with openai.AsyncOpenAI(**options) as awaited:
        with openai.OpenAI(**options) as plain_client:
            yield lambda model: OpenAIEmbeddings(
                model=model,
                client=plain_client.embeddings,
                async_client=awaited.embeddings,
                check_embedding_ctx_length=False,
                chunk_size=100,
            )


async def test_langchain_embeds_documents_and_queries(
    langchain: Callable[[str], OpenAIEmbeddings], expected: np.ndarray
) -> None:
    embeddings = langchain(MODEL)
    np.testing.assert_allclose(embeddings.embed_documents(TEXTS), expected, atol=1e-6)
    np.testing.assert_allclose(embeddings.embed_query(TEXTS[7]), expected[7], atol=1e-6)
    np.testing.assert_allclose(await embeddings.aembed_documents(TEXTS), expected, atol=1e-6)


async def test_langchain_shows_why_it_was_refused(langchain: Callable[[str], OpenAIEmbeddings]) -> None:
    with pytest.raises(openai.NotFoundError, match="served: one-peace"):
        langchain("text-embedding-3-small").embed_query("x")


async def test_llama_index_embeds_texts_and_queries(server: LiveServer, expected: np.ndarray) -> None:
    async with httpx.AsyncClient() as awaited:
        with httpx.Client() as plain_client:
            embedding = OpenAIEmbedding(
                model_name=MODEL,
                api_base=f"{server.url}/v1",
                api_key="none",
                http_client=plain_client,
                async_http_client=awaited,
            )
            np.testing.assert_allclose(embedding.get_text_embedding_batch(TEXTS), expected, atol=1e-6)
            np.testing.assert_allclose(embedding.get_query_embedding(TEXTS[7]), expected[7], atol=1e-6)
            np.testing.assert_allclose(await embedding.aget_text_embedding_batch(TEXTS), expected, atol=1e-6)
