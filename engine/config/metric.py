"""What an operator may write about a metric: how good an answer is, as a number in [0, 1]."""

import re
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from engine.config.frozen import Frozen
from engine.config.problem import Problem, impossible

Measured = Literal[
    "feedback", "positive_feedback", "effective_answer", "latency", "timeout", "cost"
]
LIMITED = frozenset({"latency", "cost"})
"""Measures without an upper end of their own, which need a limit to become a score."""
QUALITY = "quality"
"""The metric that needs no declaration: the score that users send."""


class _Metric(Frozen):
    version: int = Field(1, ge=1)
    """Raise it with every change of meaning: scores of different versions are never mixed."""


class Builtin(_Metric):
    """Read off traces and feedback; nothing has to be evaluated."""

    type: Literal["builtin"]
    measures: Measured
    """`feedback` is the users' score, `positive_feedback` whether it is above a half.
    `effective_answer` is 1 for an answer without an error that nobody scored below a half,
    `timeout` is 1 for a request in time; `latency` and `cost` fall from 1 at nothing to 0 at
    `limit`."""
    limit: float | None = Field(None, gt=0.0)
    """Seconds of a latency, US dollars of a cost, at which the score is 0."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.measures in LIMITED and self.limit is None:
            why = f"missing; `{self.measures}` needs the value that scores 0"
            raise impossible([Problem(("limit",), why)])
        if self.measures not in LIMITED and self.limit is not None:
            why = f"`{self.measures}` has no limit; delete it"
            raise impossible([Problem(("limit",), why, at_key=True)])
        return self


class Rule(_Metric):
    """1 where the answer's text passes every check, else 0; letters' case never matters."""

    type: Literal["rule"]
    contains: str | None = Field(None, min_length=1)
    any_of: tuple[str, ...] = ()
    """At least one of these occurs."""
    all_of: tuple[str, ...] = ()
    """Each of these occurs."""
    regex: str | None = None
    """A regular expression that is found somewhere."""
    max_chars: int | None = Field(None, ge=1)
    valid_json: bool = False
    """The whole answer is JSON."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        checks = (self.contains, self.any_of, self.all_of, self.regex, self.max_chars)
        if not any(checks) and not self.valid_json:
            raise impossible([Problem((), "checks nothing; write `contains` or another check")])
        try:
            re.compile(self.regex or "")
        except re.error as error:
            why = f"got {self.regex!r}, which is no regular expression: {error}"
            raise impossible([Problem(("regex",), why)]) from error
        return self


class Reference(_Metric):
    """How far an answer holds what a known question's answer must hold; others stay unscored."""

    type: Literal["reference"]
    file: str = Field(min_length=1)
    """JSON lines of `question` and `facts`, relative to the experiment's file; a fact is a text, or
    a list of texts of which one is enough."""
    match: Literal["facts", "f1"] = "facts"
    """The share of facts that occur, or the F1 of shared words with the best of them."""


class Judge(_Metric):
    """A language model scores the answer; it never learns which variant gave it."""

    type: Literal["judge"]
    model: str = Field(min_length=1)
    """The exact version: another model is another metric."""
    base_url: str = "env"
    """An OpenAI-compatible base URL; `env` means OPENAI_BASE_URL."""
    prompt: str
    """The instruction, with `{question}` and `{answer}` in it; the reply's first number counts."""
    best: int = Field(5, ge=1, le=100)
    """The number that a perfect answer gets; 0 is the worst."""
    timeout_s: float = Field(30.0, gt=0.0)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        missing = [part for part in ("{question}", "{answer}") if part not in self.prompt]
        if missing:
            why = f"does not hold {' and '.join(missing)}; a judge has to read both"
            raise impossible([Problem(("prompt",), why)])
        return self


class Python(_Metric):
    """An own function `(question, answer, trace) -> float` in [0, 1]."""

    type: Literal["python"]
    function: str = Field(
        pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$", examples=["metrics.tone:is_polite"]
    )


class Calibrated(_Metric):
    """An evaluator's scores of all answers, set right by people's labels of a random few.

    Right on average even where the evaluator is wrong in one variant only; needs every drawn answer
    labelled within the experiment's maturation, by `trimtab audit`.
    """

    type: Literal["calibrated"]
    by: str = Field(min_length=1)
    """Another of `metrics`, which scores every answer: a judge, rule, reference or python."""
    audited: float = Field(0.1, gt=0.0, lt=1.0)
    """The share of answers that people label; the fewer, the more traffic a proof takes."""


Metric = Annotated[
    Builtin | Rule | Reference | Judge | Python | Calibrated, Field(discriminator="type")
]
Evaluator = Rule | Reference | Judge | Python
"""A metric that somebody has to evaluate, from the text of an answer."""
FEEDBACK = Builtin(type="builtin", measures="feedback")


VERSIONED = "@"
"""In the stored name of every metric that users don't score themselves, and in none of theirs."""


def stored_as(name: str, metric: Metric) -> str:
    """What a metric's scores are called in the store; users' own are called `quality`."""
    return QUALITY if isinstance(metric, Builtin) else f"{name}{VERSIONED}{metric.version}"


def label_of(stored: str) -> str:
    """What people's labels for a calibrated metric are called in the store."""
    return f"{stored}:label"


def asked_of(stored: str) -> str:
    """What the evaluator's scores of answers that were drawn for a label are called there."""
    return f"{stored}:asked"
