"""The shapes of `GET /v1/models`, as OpenAI's clients know them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.config.problem import did_you_mean
from engine.errors import NotFoundError

OWNER = "trimtab"


@dataclass(frozen=True)
class Listed:
    """Something that the `model` of a request may name."""

    id: str
    created: int
    """Unix time in seconds."""


def models_body(models: Sequence[Listed]) -> dict[str, Any]:
    """The body of the list of all models."""
    return {"object": "list", "data": [_body(model) for model in models]}


def model_body(id_: str, models: Sequence[Listed]) -> dict[str, Any]:
    """The body that tells of one model.

    Raises:
        NotFoundError: There is none of this name.
    """
    for model in models:
        if model.id == id_:
            return _body(model)
    near = did_you_mean(id_, [model.id for model in models])
    raise NotFoundError(f"model: there is no {id_!r}; {near}")


def _body(model: Listed) -> dict[str, Any]:
    return {
        "id": model.id,
        "object": "model",
        "created": model.created,
        "owned_by": OWNER,
    }
