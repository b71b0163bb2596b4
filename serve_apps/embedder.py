"""Turns texts into vectors for every slot, so that the encoder is in memory once."""

import logging
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from ray import serve

from engine.workflow.embeddings.batcher import Batcher
from engine.workflow.embeddings.minilm import Encoder

REMEMBERED = 8_192

log = logging.getLogger("ray.serve")


class Embedder:
    """One encoder behind a batcher, which finds its best batch size before it takes requests.

    It remembers vectors by text. A vector depends on nothing else, so what one variant asked for
    may serve another: without that, every newly seated variant would look slow at first.
    """

    async def __init__(self) -> None:  # type: ignore[misc]
        # Serve awaits a constructor, whatever the type checker says.
        self._batcher = Batcher(Encoder(threads=1).encode)
        rates = await self._batcher.warm_up()
        log.info("batches of %d texts, by %s", self._batcher.size, rates)
        self._known: OrderedDict[str, npt.NDArray[np.float32]] = OrderedDict()

    async def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Unit-norm vectors, one row a text."""
        known = {text: self._known[text] for text in texts if text in self._known}
        if new := [text for text in dict.fromkeys(texts) if text not in known]:
            known |= zip(new, await self._batcher(new), strict=True)
        for text in texts:
            self._known[text] = known[text]
            self._known.move_to_end(text)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return np.stack([known[text] for text in texts])


def embedder_app() -> serve.Application:
    """The embedder as a Serve application without a route."""
    deployment = serve.deployment(
        name="Embedder",
        num_replicas=1,
        max_ongoing_requests=256,
        ray_actor_options={"num_cpus": 0.1},
    )
    return deployment(Embedder).bind()
