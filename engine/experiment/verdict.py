"""What the evidence about one window allows."""

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Action = Literal["continue", "hold", "stop", "promote", "rollback"]
Cause = Literal[
    "srm",
    "missingness",
    "labels",
    "harm",
    "errors",
    "latency",
    "timeouts",
    "cost",
    "metric",
    "segment",
    "regression",
    "rivals",
    "evidence",
    "rule",
    "too_early",
    "undecided",
    "futility",
    "budget",
    "approval",
    "superseded",
    "not_seated",
    "ended",
    "operator",
]


class Evidence(BaseModel):
    """Which facts a verdict stands on, so that anybody can compute it again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    upto: int
    """Newest catalogue number that was read."""
    now: float
    """Unix seconds that maturity was measured against."""
    digest: str
    """SHA-256 over the outcomes."""


class Verdict(BaseModel):
    """An action with its cause, its reason in words and the figures behind it."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    action: Action
    cause: Cause
    reason: str = Field(min_length=1)
    figures: dict[str, float | int | None] = {}
    """None stands for a figure that could not be measured yet."""
    evidence: Evidence | None = None


def verdict_of(
    action: Action, cause: Cause, reason: str, figures: Mapping[str, float | int | None]
) -> Verdict:
    """A verdict without its evidence, which only those know who read the facts."""
    return Verdict(action=action, cause=cause, reason=reason, figures=dict(figures))
