"""Any sentence-transformers model that lies in a folder of this machine."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from engine.errors import ConfigError
from engine.workflow.embedding import FloatArray


class FolderEncoder:
    """Reads the folder's own pooling and normalising, so it is slower to start than `Encoder`."""

    def __init__(
        self, folder: Path, *, most_tokens: int, half: bool, threads: int, device: str
    ) -> None:
        """Read the model.

        Raises:
            ConfigError: The folder's files are no such model.
        """
        os.environ["HF_HUB_OFFLINE"] = "1"
        import torch
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging

        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        torch.set_num_threads(threads)
        try:
            self._model = SentenceTransformer(str(folder), device=device, local_files_only=True)
        except Exception as error:  # the library raises nothing more precise
            raise ConfigError(f"models: {folder} can't be loaded: {error}") from error
        self._model.max_seq_length = min(most_tokens, self._model.max_seq_length or most_tokens)
        if half:
            self._model.bfloat16()

    @property
    def bytes(self) -> int:
        """What its numbers take, on whatever device they are."""
        arrays = [*self._model.parameters(), *self._model.buffers()]
        return sum(each.numel() * each.element_size() for each in arrays)

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """Unit-norm vectors, one row a text."""
        vectors = self._model.encode(
            list(texts),
            batch_size=len(texts),
            normalize_embeddings=True,
            show_progress_bar=False,
        )
        return np.asarray(vectors, dtype=np.float32)

    def tokens(self, texts: Sequence[str]) -> int:
        """How many tokens it reads of these texts, its own marks included."""
        encoded = self._model.tokenizer(
            list(texts), truncation=True, max_length=self._model.max_seq_length
        )
        return sum(map(len, encoded["input_ids"]))
