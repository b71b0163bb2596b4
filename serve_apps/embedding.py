"""The way to the shared embedder."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from ray import serve
from ray.exceptions import RayTaskError

from engine.errors import TrimtabError
from engine.workflow.embedding import FloatArray
from serve_apps.names import EMBEDDER


class Embedding:
    """Encodes texts at the embedder's application; to be made once a process."""

    @cached_property
    def _handle(self) -> Any:
        # Not before it is needed: whoever encodes may be there before the embedder is.
        return serve.get_app_handle(EMBEDDER).options(
            _by_reference=False, request_serialization="pickle", response_serialization="pickle"
        )

    @cached_property
    def _encode(self) -> Any:
        return self._handle.encode

    async def __call__(self, texts: Sequence[str]) -> FloatArray:
        """Vectors of the model that indexes are built with."""
        vectors: FloatArray = await self._encode.remote(list(texts))
        return vectors

    async def recent(self) -> tuple[Sequence[str], FloatArray]:
        """Texts that any process asked for of late, the newest last, and their vectors."""
        found: tuple[Sequence[str], FloatArray] = await self._handle.recent.remote()
        return found

    async def embed(self, model: str, texts: Sequence[str]) -> tuple[FloatArray, int]:
        """Vectors of a named model, and the tokens that were read for them.

        Raises:
            NotFoundError, ConfigError: There is no such model, or it can't be loaded.
        """
        try:
            vectors, tokens = await self._handle.embed.remote(model, list(texts))
        except RayTaskError as error:
            if isinstance(error.cause, TrimtabError):
                raise error.cause from None
            raise
        return vectors, tokens

    async def names(self) -> list[str]:
        """The models that may be asked for."""
        found: list[str] = await self._handle.names.remote()
        return found
