"""What an experiment asks of a candidate, and where the lines of its tests are drawn."""

from math import log
from typing import Literal

from pydantic import BaseModel, ConfigDict

from engine.experiment.expected import Expected, centre_of_window
from engine.stats.betting import Bets, Centre, bets_for

SRM_LOG_E = log(1000)
MISSING_LOG_E = log(1 / 0.01)
HARM_LOG_E = log(20)
ERROR_LOG_E = log(100)
GUARDRAIL_LOG_E = log(20)
REGRESSION_LOG_E = log(5_000)
"""Batches between false alarms, on average: a million units of 200 a batch."""
BEST_CHANCE = 0.9
"""Of being the best of the open candidates, where the best is looked for."""
SPENT_UP = 1.01
"""A ratio's margin below this can't be proved by any affordable traffic."""


class Closed(BaseModel):
    """A value: never changed, no unknown keys, no endless figure."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class MetricRule(Closed):
    """A guardrail on another metric than the objective."""

    name: str
    margin: float
    observe_units: int = 0
    """Matured candidate units before it may block."""
    blocks: bool = True
    """Whether it may block by today; until then it is only reported."""


class SegmentRule(Closed):
    """What every declared segment must show."""

    names: tuple[str, ...]
    margin: float
    min_units: int
    too_few: Literal["hold", "pool"]


class Rules(Closed):
    """What an experiment asks of a candidate before it may be promoted."""

    alpha: float
    """Level of this candidate's promotion test."""
    f0: float
    expected: Expected | None = None
    """The baseline's mean score by segment, where it is known."""
    mde: float
    latency_ratio: float
    """The margin that is left against the present baseline."""
    error_margin: float
    min_units: int
    max_units: int
    min_cycle_s: float
    needs_approval: bool
    late: bool = False
    """Opened after many candidates had been tried: smaller lifts are worth looking for by now."""
    missing: Literal["itt", "complete-case"] = "itt"
    latency_p95: float | None = None
    """The margin that is left on the slowest twentieth."""
    paired_p95: bool = False
    timeout_margin: float | None = None
    cost_ratio: float | None = None
    metrics: tuple[MetricRule, ...] = ()
    segments: SegmentRule | None = None
    more: bool = True
    """Further candidates wait for this one's place."""
    best: bool = False
    """Only the best of the open candidates is promoted, not any that is better."""
    policy: Literal["trimtab", "group-sequential", "article", "bandit"] = "trimtab"
    looks: int = 5
    """Planned looks of a group-sequential window."""

    @property
    def centre(self) -> float | Centre:
        """What the tests of the objective measure scores from."""
        return centre_of_window(self.f0, self.expected)

    @property
    def worth(self) -> float:
        """The lift that is still worth waiting for."""
        return self.mde / 3.0 if self.late else self.mde / 2.0

    @property
    def bets(self) -> Bets:
        """The effects that the promotion test bets on, fixed when the window opens."""
        return bets_for(self.mde, late=self.late)
