"""The shapes of `POST /v1/embeddings`, as OpenAI's clients know them."""

import base64
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from engine.errors import ConfigError
from engine.workflow.embedding import FloatArray

Embedded = tuple[FloatArray, int]
"""Vectors, one row a text, and how many tokens were read."""
Embedding = Callable[[str, Sequence[str]], Awaitable[Embedded]]
"""Takes a model's name and texts."""
Format = Literal["float", "base64"]

MOST_TEXTS = 2_048
"""Of one request, as OpenAI has it."""


async def embeddings_body(said: Mapping[str, Any], embed: Embedding) -> dict[str, Any]:
    """The body of the answer to a request's body.

    Raises:
        ConfigError: It asks for something that can't be done.
        NotFoundError: There is no model of that name.
    """
    model = said.get("model")
    if not isinstance(model, str) or not model:
        raise ConfigError(f"model: got {model!r}; write the name of an embedding model")
    texts, form = texts_of(said.get("input")), format_of(said.get("encoding_format"))
    vectors, tokens = await embed(model, texts)
    _check_dimensions(said.get("dimensions"), vectors.shape[1], model)
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": n, "embedding": written(vector, form)}
            for n, vector in enumerate(vectors)
        ],
        "model": model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def texts_of(said: object) -> list[str]:
    """The texts of a request's `input`.

    Raises:
        ConfigError: It holds none, too many, or something that is no text.
    """
    texts = [said] if isinstance(said, str) else said
    if not isinstance(texts, list) or not texts:
        raise ConfigError("input: write a text, or a list of texts that holds one at least")
    if len(texts) > MOST_TEXTS:
        raise ConfigError(f"input: got {len(texts)} texts; send {MOST_TEXTS} at most at once")
    for n, text in enumerate(texts):
        if isinstance(text, int | list):
            raise ConfigError(
                f"input[{n}]: got tokens; their numbers mean something else to this model, so "
                "send the text itself (with LangChain: check_embedding_ctx_length=False)"
            )
        if not isinstance(text, str) or not text:
            raise ConfigError(f"input[{n}]: got {text!r}; write a text that isn't empty")
    return texts


def format_of(said: object) -> Format:
    """How the vectors are to be written.

    Raises:
        ConfigError: In a way that there isn't.
    """
    if said is None or said == "float":
        return "float"
    if said == "base64":
        return "base64"
    raise ConfigError(f"encoding_format: got {said!r}; write `float` or `base64`")


def written(vector: FloatArray, form: Format) -> list[float] | str:
    """A vector as a list of numbers, or as the base64 of its little-endian 32-bit floats."""
    if form == "float":
        numbers: list[float] = vector.tolist()
        return numbers
    return base64.b64encode(np.asarray(vector, "<f4").tobytes()).decode()


def _check_dimensions(said: object, own: int, model: str) -> None:
    # A vector of a model that wasn't trained for it loses its meaning when it is cut.
    if said is not None and said != own:
        raise ConfigError(f"dimensions: got {said!r}; {model} gives {own}, so leave it out")
