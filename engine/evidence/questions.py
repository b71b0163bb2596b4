"""What an experiment wants to know of a pair beyond the users' score."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.config.metric import FEEDBACK, QUALITY, Calibrated, Metric
from engine.stats.calibrated import scale_of
from engine.stats.tally import PLAIN, Scale


@dataclass(frozen=True)
class Questions:
    """Which outcomes are measured; the defaults ask for the users' score alone."""

    objective: str = QUALITY
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    """The declared metrics that are asked for, by name: guardrails, and an objective of its own."""
    segments: tuple[str, ...] = ()
    slow_ratio: float | None = None
    """How many times the baseline's 95th percentile a candidate's slowest twentieth may take."""
    timeouts: bool = False
    cost: bool = False
    expected: Mapping[str, float] = field(default_factory=dict)
    """The baseline's mean of the objective by segment, frozen before the first unit."""

    @property
    def asked(self) -> dict[str, Metric]:
        """Every metric with its name, the objective first."""
        others = {name: metric for name, metric in self.metrics.items() if name != self.objective}
        return {self.objective: self.metrics.get(self.objective, FEEDBACK), **others}

    @property
    def calibrated(self) -> dict[str, Calibrated]:
        """The asked metrics that rest on people's labels of a few answers."""
        asked = self.asked.items()
        return {name: metric for name, metric in asked if isinstance(metric, Calibrated)}

    def scale(self, name: str) -> Scale:
        """What a metric's stored scores stand for."""
        metric = self.calibrated.get(name)
        return PLAIN if metric is None else scale_of(metric.audited)

    @property
    def extra(self) -> tuple[str, ...]:
        """Columns of a unit that these questions need besides those that every one has."""
        others = [score_of(name) for name in list(self.asked)[1:]]
        open_ = [end(name) for name in self.calibrated for end in (least_of, most_of)]
        return (
            *others,
            *open_,
            *(["segment"] if self.segments or self.expected else []),
            *(["timed_out"] if self.timeouts or self.slow_ratio is not None else []),
            *(["cost_usd", "tokens"] if self.cost else []),
        )


def score_of(name: str) -> str:
    """The column that holds a metric's scores."""
    return f"score.{name}"


def least_of(name: str) -> str:
    """The column of a calibrated metric's scores with each missing label at its worst."""
    return f"least.{name}"


def most_of(name: str) -> str:
    """The same with each missing label at its best."""
    return f"most.{name}"
