"""What an operator may write about remembering answers."""

from collections.abc import Mapping
from typing import Self

from pydantic import Field, model_validator

from engine.config.frozen import Frozen
from engine.config.problem import Problem, impossible

STORE_URL = r"^(memory:|sqlite:///.+|rediss?://.+|valkeys?://.+)$"


class Memory(Frozen):
    """The level that every process has for itself."""

    entries: int = Field(10_000, ge=1)
    bytes: int = Field(64 << 20, ge=1)
    shared_ttl_s: float = Field(60.0, gt=0.0)
    """The longest that a copy of a shared entry stays here: what another process drops from the
    shared store is forgotten here after that."""


class Exact(Frozen):
    """Answers to the very same prompt."""

    enabled: bool = False
    ttl_s: float = Field(300.0, gt=0.0)
    max_temperature: float = Field(1.0, ge=0.0, le=2.0)
    """An answer sampled at a higher temperature is meant to be another one each time."""
    tool_calls: bool = False
    """Remember also turns in which the model calls tools."""


class Semantic(Frozen):
    """Answers to a question that means the same."""

    enabled: bool = False
    """Looked up behind the exact cache, so that one has to be enabled too."""
    threshold: float = Field(0.95, ge=0.8, le=1.0)
    """Cosine of the two questions' vectors from which the words are compared at all."""
    ttl_s: float = Field(3_600.0, gt=0.0)
    entries: int = Field(100_000, ge=1, le=1_000_000)
    """Of one process, all variants together; the expired go first, then the least recently used."""
    max_chars: int = Field(600, ge=1, le=1_000)
    """A longer question is never compared: the encoder reads only its beginning."""


class ToolTtl(Frozen):
    """How long a tool's result is remembered where the tool itself doesn't say."""

    usual_s: float = Field(300.0, gt=0.0)
    by_tool_s: Mapping[str, float] = Field({"search": 1_800.0, "database": 60.0, "weather": 600.0})
    """By a tool's name, or by a word of it: `search` holds for `web_search`."""


class Caching(Frozen):
    """What is remembered, how long and where."""

    store: str = Field("memory:", pattern=STORE_URL, examples=["redis://127.0.0.1:6379/0"])
    """What processes share: `sqlite:///path` (one more slash where the path is absolute),
    `redis://host:port/db`; `memory:` shares nothing."""
    memory: Memory = Memory()
    exact: Exact = Exact()
    semantic: Semantic = Semantic()
    tools: ToolTtl = ToolTtl()

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.semantic.enabled and not self.exact.enabled:
            why = "the semantic cache stands behind the exact one; write `exact: {enabled: true}`"
            raise impossible([Problem(("exact", "enabled"), why)])
        return self
