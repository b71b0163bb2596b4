"""Turns texts into vectors for every slot, so that the encoder is in memory once."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from ray import serve

from engine.workflow.embedding import MiniLm

REMEMBERED = 8_192


class Embedder:
    """One encoder behind a lock: a CPU gains nothing from two encodings at once.

    It remembers vectors by text. A vector depends on nothing else, so what one variant asked for
    may serve another: without that, every newly seated variant would look slow at first.
    """

    def __init__(self) -> None:
        self._encoder = MiniLm(threads=1)
        self._turn = asyncio.Lock()
        self._known: OrderedDict[str, npt.NDArray[np.float32]] = OrderedDict()

    async def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Unit-norm vectors, one row a text."""
        if not all(text in self._known for text in texts):
            async with self._turn:
                await self._learn([text for text in texts if text not in self._known])
        for text in texts:
            self._known.move_to_end(text)
        vectors = np.stack([self._known[text] for text in texts])
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return vectors

    async def _learn(self, texts: Sequence[str]) -> None:
        if texts:
            vectors = await asyncio.to_thread(self._encoder.encode, texts)
            self._known |= zip(texts, vectors, strict=True)


def embedder_app() -> serve.Application:
    """The embedder as a Serve application without a route."""
    deployment = serve.deployment(
        name="Embedder",
        num_replicas=1,
        max_ongoing_requests=256,
        ray_actor_options={"num_cpus": 0.1},
    )
    return deployment(Embedder).bind()
