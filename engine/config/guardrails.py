"""What an operator may write about losses that a candidate's gain can't buy."""

from datetime import date
from typing import Literal, Self

from pydantic import Field, model_validator

from engine.config.frozen import Frozen
from engine.config.problem import Problem, impossible


class LatencyP95(Frozen):
    """A limit on the slowest twentieth of requests."""

    ratio: float = Field(1.2, gt=1.0, le=10.0)
    """The candidate's 95th percentile over the baseline's must be proved below this."""
    paired: bool = False
    """Hold the candidate against today's baseline instead of the frozen percentile: slower to
    prove, but a drift of the provider does not count."""


class MetricGuardrail(Frozen):
    """A loss on another metric that no gain can buy."""

    margin: float = Field(0.02, gt=0.0, lt=1.0)
    """The candidate's mean must be proved above the baseline's less this."""
    observe_until: int | date | None = None
    """Reported without blocking until this many matured candidate units, or until this day."""


class Segments(Frozen):
    """Parts of the traffic in which a candidate must not lose."""

    names: tuple[str, ...] = ()
    """Segments as traces name them."""
    margin: float = Field(0.05, gt=0.0, lt=1.0)
    """In each, the candidate's mean must be proved above the baseline's less this."""
    min_units: int = Field(50, ge=1)
    """Matured candidate units below which a segment counts as unmeasured."""
    too_few: Literal["hold", "pool"] = "hold"
    """What unmeasured segments do: hold the promotion, or stand together as one segment."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        twice = [n for n, name in enumerate(self.names) if name in self.names[:n]]
        if twice:
            raise impossible(
                Problem(("names", n), f"got {self.names[n]!r} twice; delete one") for n in twice
            )
        return self


class Guardrails(Frozen):
    """Losses that no gain can buy."""

    latency_ratio: float = Field(1.2, gt=1.0, le=10.0)
    """The candidate's geometric mean latency over the baseline's must be proved below this."""
    error_margin: float = Field(0.02, gt=0.0, lt=1.0)
    """The candidate's error rate less the baseline's must be proved below this."""
    latency_p95: LatencyP95 | None = None
    """The slowest twentieth of requests; None sets no limit of its own."""
    timeout_margin: float | None = Field(None, gt=0.0, lt=1.0)
    """The candidate's timeout rate less the baseline's must be proved below this."""
    cost_ratio: float | None = Field(None, gt=1.0, le=10.0)
    """The candidate's mean cost over the baseline's must be proved below this; tokens are compared
    where nothing costs money."""
    metrics: dict[str, MetricGuardrail] = Field(default_factory=dict)
    """By name: `quality` or one of `metrics`."""
