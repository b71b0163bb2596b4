"""What an operator may write about choosing who answers."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from engine.config.frozen import Frozen
from engine.config.problem import Problem, impossible

FALLBACK = "fallback"
"""The intent of what fits no other one."""
IntentName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]


class Intent(Frozen):
    """One kind of request, by words or by examples."""

    keywords: tuple[str, ...] = ()
    """Whole words or phrases; the intent of which most occur wins, a draw decides nothing."""
    examples: tuple[str, ...] = ()
    """Sentences that people write; two dozen that differ serve well."""

    @model_validator(mode="after")
    def _recognisable(self) -> Self:
        if not self.keywords and not self.examples:
            why = "got neither keywords nor examples; write some, or drop the intent"
            raise impossible([Problem((), why)])
        return self


class Intents(Frozen):
    """How a request's intent is read: keywords, then likeness to examples, then a classifier."""

    intents: Mapping[IntentName, Intent]
    similarity: float = Field(0.5, ge=0.0, le=1.0)
    """Likeness to an intent's examples (the mean of the cosines to the nearest one and to their
    centre) that decides without the classifier."""
    threshold: float = Field(0.5, ge=0.0, le=1.0)
    """Probability that the classifier has to give; below it the intent is `fallback`."""
    classifier: str | None = None
    """A file that was trained on labelled traces; null trains one on the examples at start."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if problems := list(self._problems()):
            raise impossible(problems)
        return self

    def _problems(self) -> Iterator[Problem]:
        if FALLBACK in self.intents:
            why = "got an intent of this name, which is what fits no other one; rename it"
            yield Problem(("intents", FALLBACK), why)
        with_examples = [name for name, intent in self.intents.items() if intent.examples]
        if len(with_examples) == 1:
            why = (
                f"got examples of {with_examples[0]!r} only, which tell nothing apart; "
                "write some for another intent"
            )
            yield Problem(("intents",), why)


class Profile(Frozen):
    """What is known of a model before it is asked."""

    tier: Literal["cheap", "usual", "strong"]
    context_tokens: int = Field(ge=1)
    """Input and output together."""
    input_usd: float = Field(ge=0.0)
    """For a million tokens."""
    output_usd: float = Field(ge=0.0)
    """For a million tokens."""
    first_text_s: float = Field(gt=0.0)
    """Until an answer begins."""
    tokens_per_s: float = Field(gt=0.0)
    """Of an answer, once it has begun."""
    quality: float = Field(ge=0.0, le=1.0)
    """By one yardstick for all; it orders the models of a tier."""


class ModelChoice(Frozen):
    """How a request's model is chosen."""

    models: Mapping[str, Profile] = Field(min_length=1)
    usual_from: int = Field(2, ge=0)
    """Points of complexity from which the cheap models are passed over."""
    strong_from: int = Field(5, ge=0)
    """Points of complexity from which a strong model is wanted."""
    latency_target_s: float | None = Field(None, gt=0.0)
    """What an answer may take; null asks for no more than the request's deadline."""
    answer_tokens: int = Field(512, ge=1)
    """The length of an answer that cost and time are reckoned with."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.strong_from < self.usual_from:
            why = f"got {self.strong_from}, below `usual_from`; write {self.usual_from} at least"
            raise impossible([Problem(("strong_from",), why)])
        return self
