"""What was measured of one pair of variants: all that a verdict may look at."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.stats.betting import Tally
from engine.stats.ratio import Stratum

Counts = tuple[tuple[tuple[int, ...], tuple[float, ...]], ...]
"""(candidate units, baseline units) against their planned shares, by version."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Some matured units of a pair in a row, one entry a snapshot version."""

    quality: tuple[Tally, ...]
    """Scores of the objective."""
    errors: tuple[tuple[float, int, int], ...]
    """(propensity, failed candidate units, failed units of the pair)."""


@dataclass(frozen=True, eq=False)
class Sample:
    """Outcomes of a candidate and its concurrent baseline, one cell per snapshot version.

    `errors` and `exposed` hold every unit, because a protective stop may use fast signals while a
    promotion never may; everything else holds matured units only. What an experiment does not ask
    for is left empty.
    """

    quality: tuple[Tally, ...]
    """Scores of the objective; a failed unit scores 0, an unrated one is counted as unrated."""
    no_error: tuple[Tally, ...]
    """1 for a unit without a failed request, else 0."""
    errors: tuple[tuple[float, int, int], ...]
    """(propensity, failed candidate units, failed units of the pair), matured or not."""
    latency: tuple[Stratum, ...]
    """Moments of the natural logarithm of the unit's mean latency in seconds."""
    exposed: Counts
    """Units that met a variant, matured or not."""
    candidate_units: int
    baseline_units: int
    elapsed_s: float
    """From the first exposure of the pair to the newest matured one."""
    digest: str
    """SHA-256 over every outcome above, in a fixed order."""
    completed: Counts = ()
    """Units of which every request has left a trace, whatever it says."""
    scored: Counts = ()
    """Units without a failure that have a score of the objective."""
    no_timeout: tuple[Tally, ...] = ()
    """1 for a unit without a timed-out request, else 0."""
    slow: tuple[tuple[int, int], ...] = ()
    """(candidate units slower than the limit, candidate units) since the limit was frozen."""
    quick: tuple[Tally, ...] = ()
    """1 for a candidate unit within the limit and for a baseline unit within its percentile."""
    slow_s: float | None = None
    """The frozen limit on the candidate's slowest units, in seconds; None until it is known."""
    cost: tuple[Stratum, ...] = ()
    """Moments of the unit's mean cost: US dollars, or tokens where nothing costs money."""
    metrics: Mapping[str, tuple[Tally, ...]] = field(default_factory=dict)
    """Scores of other metrics, by name."""
    segments: Mapping[str, tuple[Tally, ...]] = field(default_factory=dict)
    """Scores of the objective in one segment, by its name."""
    against: tuple[Tally, ...] = ()
    """Scores of a calibrated objective with every missing label against the candidate."""
    centres: Mapping[str, float] = field(default_factory=dict)
    """The baseline's mean of a metric before the window, by the metric's name."""
