"""What an operator may write about fitting a conversation into a model's context."""

from collections.abc import Iterator
from typing import Literal, Self

from pydantic import Field, model_validator

from engine.config.frozen import Frozen
from engine.config.problem import Problem, impossible

Strategy = Literal["trim", "sliding", "head-tail", "summarise"]


class Compression(Frozen):
    """How passages are made shorter before a language model reads them."""

    clean: bool = False
    """Drop white space, repeated lines, rules, comments and encoded blobs; code stays as it is."""
    deduplicate: bool = False
    """Drop a passage that says nearly the same as an earlier one."""
    method: Literal["none", "extractive", "model"] = "none"
    """Keep the sentences nearest to the question, or have the cheap model write it shorter."""
    ratio: float = Field(0.5, ge=0.1, le=1.0)
    """The part of the text to be kept."""


class Context(Frozen):
    """How much a language model gets to read, and what gives way when there is more."""

    limit_tokens: int = Field(128_000, ge=512, le=10_000_000)
    """What the model reads and writes in one call together."""
    reserve_tokens: int = Field(4_096, ge=1)
    """Kept free for the model's answer."""
    strategy: Strategy = "trim"
    """Drop the oldest turns, keep the last few, cut long texts in the middle, or sum up what is
    old."""
    turns: int = Field(6, ge=1, le=1_000)
    """The turns that `sliding` keeps."""
    summary_tokens: int = Field(256, ge=32, le=8_192)
    """The most that a summary of old turns takes."""
    tokenizer: str | None = None
    """The path of the model's `tokenizer.json`; without it tokens are estimated on the high side
    unless the model's own vocabulary is on this machine."""
    compression: Compression = Compression()

    @property
    def room_tokens(self) -> int:
        """What the messages may take together."""
        return self.limit_tokens - self.reserve_tokens

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if problems := [*self._about_reserve(), *self._about_summary()]:
            raise impossible(problems)
        return self

    def _about_reserve(self) -> Iterator[Problem]:
        if self.reserve_tokens >= self.limit_tokens:
            why = f"got {self.reserve_tokens}, which leaves nothing of {self.limit_tokens} to read"
            yield Problem(("reserve_tokens",), f"{why}; write less")

    def _about_summary(self) -> Iterator[Problem]:
        if self.strategy == "summarise" and self.summary_tokens > self.room_tokens // 2:
            why = f"got {self.summary_tokens}, more than half of the {self.room_tokens} to be read"
            yield Problem(("summary_tokens",), f"{why}; write less")
