"""What an operator may write about asking a language model when it fails, stalls or costs much."""

from typing import Self

from pydantic import Field, model_validator

from engine.config.frozen import Frozen
from engine.config.problem import Problem, impossible

TASK_ID = "{task_id}"
"""Stands in a preset answer where the request's id goes."""


class Retry(Frozen):
    """How often a failure that may pass is tried again, and how long it is waited between."""

    attempts: int = Field(3, ge=1, le=10)
    """Attempts in all; 1 never retries."""
    base_s: float = Field(0.2, gt=0.0, le=60.0)
    """The longest pause before the second attempt; it doubles with each further one."""
    cap_s: float = Field(8.0, gt=0.0, le=600.0)
    """No pause is drawn from more than this; a longer `Retry-After` is honoured all the same."""


class Breaker(Frozen):
    """When calls that keep failing are no longer tried."""

    failures: int = Field(5, ge=1, le=1_000)
    """This many within the window open it, where they are `share` of its calls."""
    share: float = Field(0.5, ge=0.0, le=1.0)
    """Of the calls within the window; 0 opens it by the number of failures alone."""
    window_s: float = Field(60.0, gt=0.0, le=3_600.0)
    open_s: float = Field(60.0, gt=0.0, le=3_600.0)
    """After this long one call is let through, to see whether the others may follow."""


class Tiers(Frozen):
    """The models that a step may ask for instead of the usual one, `llm.name`."""

    cheap: str | None = None
    """Also answers when a request has used most of its budget; null is the usual one."""
    strong: str | None = None
    """Null is the usual one."""


class Fallback(Frozen):
    """What stands in for a model that can't answer, in this order; nothing unless written here."""

    models: tuple[str, ...] = Field((), max_length=5)
    """Faster models at the same endpoint, asked in turn."""
    cached: bool = False
    """An answer that was given before to the same messages."""
    preset: str | None = Field(None, min_length=1, max_length=2_000)
    """A fixed answer; `{task_id}` in it becomes the id that the person can ask about later."""

    @model_validator(mode="after")
    def _names_the_task(self) -> Self:
        if self.preset is not None and TASK_ID not in self.preset:
            why = f"got a text without `{TASK_ID}`; write it where the request's id belongs"
            raise impossible([Problem(("preset",), why)])
        return self


class Resilience(Frozen):
    """How a workflow keeps answering while its models fail."""

    retry: Retry = Retry()
    breaker: Breaker = Breaker()
    tiers: Tiers = Tiers()
    fallback: Fallback = Fallback()
    first_token_timeout_s: float = Field(30.0, gt=0.0, le=600.0)
    """A streamed answer that has not begun by then is given up and asked for again."""
    idle_timeout_s: float = Field(15.0, gt=0.0, le=300.0)
    """A streamed answer that has begun and brings nothing for this long is given up."""
