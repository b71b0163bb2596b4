"""Reads the encoder that the settings name onto the device that they name."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from engine.config.embedding import Device, EmbeddingModel
from engine.errors import ConfigError
from engine.workflow.embedding import FloatArray
from engine.workflow.embeddings.folder import FolderEncoder
from engine.workflow.embeddings.minilm import Encoder
from engine.workflow.embeddings.static import StaticEncoder


class Encoding(Protocol):
    """A model that is in memory; its methods block while they work."""

    @property
    def bytes(self) -> int:
        """What its arrays take."""
        ...

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """Unit-norm vectors, one row a text."""
        ...

    def tokens(self, texts: Sequence[str]) -> int:
        """How many tokens it reads of these texts."""
        ...


def encoder_of(model: EmbeddingModel, *, device: str, threads: int) -> Encoding:
    """The encoder, read from disk and never from the network.

    Raises:
        ConfigError: The folder holds no such model.
    """
    if model.kind == "words":
        return StaticEncoder(most_tokens=model.max_tokens)
    if model.folder is None:
        return Encoder(
            most_tokens=model.max_tokens, half=model.half, threads=threads, device=device
        )
    folder = Path(model.folder).expanduser()
    if not (folder / "modules.json").is_file():
        raise ConfigError(
            f"models: {folder} holds no modules.json; write the folder of a "
            "sentence-transformers model"
        )
    return FolderEncoder(
        folder, most_tokens=model.max_tokens, half=model.half, threads=threads, device=device
    )


def device_of(wanted: Device) -> str:
    """The device that this process has.

    Raises:
        ConfigError: A GPU is asked for, and this process sees none.
    """
    import torch

    if torch.cuda.is_available():
        return "cpu" if wanted == "cpu" else "cuda"
    if wanted == "cuda":
        raise ConfigError("device: got `cuda`, but no GPU is seen here; write `auto` or `cpu`")
    return "cpu"
