"""What an operator may write about the models that turn texts into vectors."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Literal, Self

from pydantic import Field, model_validator

from engine.config.frozen import Frozen
from engine.config.problem import Problem, impossible

PACKAGED = "all-MiniLM-L6-v2"
"""The model that comes with the package, and that every index is built with."""

Device = Literal["auto", "cpu", "cuda"]


class EmbeddingModel(Frozen):
    """How one model is read and run."""

    kind: Literal["layers", "words"] = "layers"
    """A whole sentence encoder, or only its word vectors: hundreds of times quicker, and blind to
    the words' order. `words` reads the packaged model."""
    folder: str | None = None
    """Of a sentence-transformers model on this machine; without one the packaged model is read."""
    max_tokens: int = Field(256, ge=8, le=32_768)
    """What is longer is read to here."""
    half: bool = False
    """Run it with half the bits: a half to a third of the time, cosines of .9999 to the full."""
    version: str = ""
    """Yours to choose; another one has the folder read again, beside the model in use."""

    @property
    def digest(self) -> str:
        """Names these settings; what was computed under others is another model's."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]


class Embeddings(Frozen):
    """The models that are served, and how much of them is in memory at once."""

    models: Mapping[str, EmbeddingModel] = {PACKAGED: EmbeddingModel()}
    """By the name that a request gives. A model is loaded when it is first asked for."""
    max_loaded: int = Field(2, ge=1, le=64)
    """Models in memory; the least recently used makes room."""
    max_mb: float = Field(2_048.0, gt=0.0)
    """What the models in memory may take together, by their own arrays."""
    device: Device = "auto"
    """`auto` takes a GPU where `gpus` reserves one."""
    gpus: float = Field(0.0, ge=0.0, le=1.0)
    """The part of a GPU that the embedder reserves; without one it sees none."""
    threads: int = Field(1, ge=1, le=64)
    """Of the processor, for one encoding."""
    max_wait_s: float = Field(0.004, ge=0.0, le=0.1)
    """The longest that a text waits for others to share its batch."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if problems := [*self._about_models(), *self._about_device()]:
            raise impossible(problems)
        return self

    def _about_models(self) -> Iterator[Problem]:
        packaged = self.models.get(PACKAGED)
        if packaged is None:
            why = f"`{PACKAGED}` is missing, which indexes are built with; leave it in"
            yield Problem(("models",), why)
        elif packaged.folder is not None or packaged.kind != "layers":
            why = "indexes are built with the packaged model; give another one a name of its own"
            yield Problem(("models", PACKAGED), why)
        for name, model in self.models.items():
            if model.kind == "words" and model.folder is not None:
                why = f"`words` reads the packaged model, got {model.folder!r}; leave it out"
                yield Problem(("models", name, "folder"), why)

    def _about_device(self) -> Iterator[Problem]:
        if self.device == "cuda" and not self.gpus:
            why = "got `cuda`, but `gpus` reserves none; write for example `gpus: 0.2`"
            yield Problem(("device",), why)
