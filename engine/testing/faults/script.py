"""What an operator may write for the fault model server: who is answered, and how it fails."""

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import Field, model_validator

from engine.config.frozen import Frozen
from engine.config.problem import Problem, Where, did_you_mean, impossible
from engine.testing.faults.named import FAULTS
from engine.testing.faults.outcomes import Answer, Outcome, Status

Share = Annotated[float, Field(ge=0.0, le=1.0)]


class Match(Frozen):
    """Which requests a rule is for; what is not said matches everything."""

    path: str | None = None
    """How the path ends, such as `/embeddings`."""
    model: str | None = None
    says: str | None = None
    """Occurs in the last user message."""
    tool: str | None = None
    """A tool of this name is offered."""
    first: int = Field(1, ge=1)
    """From this request on, counted among those that match the rest."""
    last: int | None = Field(None, ge=1)
    """Up to this one, itself included; None goes on for ever."""


class Rule(Frozen):
    """What becomes of the requests that match; the first rule that does counts."""

    match: Match = Match()
    fault: str | None = None
    """A fault's name; give it or an outcome, not both."""
    outcome: Outcome | None = None

    @property
    def chosen(self) -> tuple[str, Outcome]:
        """The outcome under the name that it is counted by."""
        if self.outcome is None:
            assert self.fault is not None
            return self.fault, FAULTS[self.fault]
        if isinstance(self.outcome, Status):
            return f"status_{self.outcome.status}", self.outcome
        return self.outcome.kind, self.outcome

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.fault is None) == (self.outcome is None):
            raise impossible([Problem((), "write either `fault` or `outcome`")])
        if self.fault is not None and (problem := _unknown(("fault",), self.fault)):
            raise impossible([problem])
        return self


class Dialogue(Frozen):
    """What the model says, turn by turn, to those whose messages hold certain words.

    The n-th turn answers a request with n - 1 assistant messages after the last user message that
    holds `prompt`, so that nothing is remembered between requests and any number may run at once.
    The last turn is repeated. A turn that calls tools is passed over where none may be called.
    """

    system: str = ""
    """Occurs in a system message."""
    prompt: str = ""
    """Occurs in a user message; empty counts every assistant message of the request."""
    turns: tuple[Answer, ...] = Field(min_length=1)


class Script(Frozen):
    """Everything that the server does: rules first, then chance, then dialogues, then `usual`."""

    models: tuple[str, ...] = ("scripted",)
    """What /v1/models lists; any model is answered."""
    rules: tuple[Rule, ...] = ()
    rates: Mapping[str, Share] = Field(default_factory=dict)
    """The share of requests that meets each fault, by its name; together at most 1."""
    dialogues: tuple[Dialogue, ...] = ()
    usual: Answer = Answer()

    @model_validator(mode="after")
    def _shares(self) -> Self:
        problems = [_unknown(("rates", name), name) for name in self.rates]
        if found := [problem for problem in problems if problem]:
            raise impossible(found)
        if (together := sum(self.rates.values())) > 1.0:
            raise impossible([Problem(("rates",), f"got {together:g} together; at most 1")])
        return self


def _unknown(where: Where, name: str) -> Problem | None:
    if name in FAULTS:
        return None
    return Problem(where, f"got {name!r}, which is no fault; {did_you_mean(name, FAULTS)}")
