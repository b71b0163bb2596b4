"""The way to the shared embedder."""

from typing import Any

from ray import serve

from engine.workflow.embedding import Embed
from serve_apps.names import EMBEDDER


def embedding() -> Embed:
    """Encodes texts at the embedder's application; to be made once a process."""
    encode = (
        serve.get_app_handle(EMBEDDER)
        .options(
            _by_reference=False, request_serialization="pickle", response_serialization="pickle"
        )
        .encode
    )

    async def vectors(texts: Any) -> Any:
        return await encode.remote(list(texts))

    return vectors
