"""How long an experiment takes on a given traffic, told before its first unit.

Every unit is rated: of traffic that is rated in part only the rated part counts. All windows are
open and have even shares; allocation by evidence is quicker.
"""

from dataclasses import dataclass
from math import floor, log

import numpy as np

from engine.config.experiment import Experiment
from engine.errors import ConfigError
from engine.stats.alpha import Spent, next_alpha
from engine.stats.arrays import FloatArray
from engine.stats.betting import bets_for
from search.power import Pair, crossings, fixed_power, fixed_units, information

FAR = 8.0
"""How much longer than expected a simulated window may last."""
POINTS = 60
"""Steps of a curve."""
DAY_S = 86_400.0
WEEK = 7.0
"""Days."""


@dataclass(frozen=True)
class Span:
    """Candidate units, and days until they have come and matured."""

    units: float
    days: float


@dataclass(frozen=True)
class Chances:
    """How likely a candidate of this effect is proved better, by days since its window opened."""

    days: tuple[float, ...]
    evidence: tuple[float, ...]
    """By then, looking all the time."""
    fixed: tuple[float, ...]
    """By a z-test whose length was fixed at that day beforehand."""


@dataclass(frozen=True)
class Level:
    """What a candidate takes at one level of the alpha budget."""

    trial: int
    alpha: float
    nats: float
    """Log e that it needs."""
    information: Span
    """No test that is nearly sure to end needs less on average: the nats over the information."""
    median: Span | None
    """Half of such candidates are proved by then; None where it takes too long to simulate."""
    p90: Span | None
    fixed: Span
    """A z-test of fixed length at the same level, with power 0.8."""
    within_window: float
    """Share of such candidates that are proved before `windows.max_units`, futility aside."""


@dataclass(frozen=True)
class Plan:
    """An experiment on a traffic, before it begins."""

    units_per_s: float
    rate: float
    effect: float
    share: float
    """Of all traffic, for each candidate."""
    baseline_share: float
    first: Level
    last: Level
    """The last of `windows.max_trials`, at the smallest part of the budget."""
    window: Span
    """How long a window lasts without evidence: `windows.max_units`."""
    per_week: int
    """Candidates whose windows are over by then even if each lasts the longest."""
    within_duration: int | None
    """The same within `max_duration_s`; None where there is no limit."""
    max_trials: int
    chances: Chances
    """At the first level."""


def planned(
    experiment: Experiment,
    *,
    units_per_s: float,
    rate: float,
    effect: float | None = None,
    seed: int = 0,
) -> Plan:
    """Plan an experiment for rated units that come at this pace.

    Without an effect it is `objective.mde`. The same seed gives the same plan.

    Raises:
        ConfigError: The traffic, the rate or the effect is out of range.
    """
    wanted = experiment.objective.mde if effect is None else effect
    _refuse(units_per_s, rate, wanted)
    planner = _Planner(experiment, units_per_s, rate, wanted, seed)
    windows = experiment.windows
    window = planner.span(windows.max_units)
    limit_s = experiment.max_duration_s
    return Plan(
        units_per_s=units_per_s,
        rate=rate,
        effect=wanted,
        share=windows.share,
        baseline_share=planner.baseline_share,
        first=planner.level(1),
        last=planner.level(windows.max_trials),
        window=window,
        per_week=windows.concurrent * floor(WEEK / window.days),
        within_duration=None
        if limit_s is None
        else windows.concurrent * floor(limit_s / DAY_S / window.days),
        max_trials=windows.max_trials,
        chances=planner.chances(),
    )


def alpha_of(trial: int, alpha: float, trials: int) -> float:
    """The level of the experiment's trial of this number, counted from 1, without a promotion.

    `trials` is how many there will be at most.
    """
    spent: list[Spent] = []
    while True:
        level = next_alpha(spent, alpha=alpha, horizon=trials)
        if len(spent) + 1 == trial:
            return level
        spent.append(Spent(level, 0))


class _Planner:
    """Works out one experiment's levels."""

    def __init__(
        self, experiment: Experiment, units_per_s: float, rate: float, effect: float, seed: int
    ) -> None:
        windows = experiment.windows
        self._experiment = experiment
        self._units_per_s = units_per_s
        self._seed = seed
        self.baseline_share = 1.0 - windows.concurrent * windows.share
        pi = windows.share / (windows.share + self.baseline_share)
        self._pair = Pair(rate=rate, effect=effect, pi=pi)

    def span(self, units: float) -> Span:
        """How long these candidate units take, with a whole cycle and maturation."""
        experiment = self._experiment
        coming_s = max(units, experiment.windows.min_units) / (
            self._units_per_s * experiment.windows.share
        )
        lasting_s = max(coming_s, experiment.min_cycle_s) + experiment.maturation_s
        return Span(units=units, days=lasting_s / DAY_S)

    def level(self, trial: int) -> Level:
        """What the trial of this number takes."""
        alpha = alpha_of(trial, self._experiment.alpha, self._experiment.windows.max_trials)
        units = self._crossings(alpha)
        median, p90 = (float(one) for one in np.quantile(units, [0.5, 0.9], method="higher"))
        return Level(
            trial=trial,
            alpha=alpha,
            nats=-log(alpha),
            information=self.span(-log(alpha) / information(self._pair)),
            median=self.span(median) if median < np.inf else None,
            p90=self.span(p90) if p90 < np.inf else None,
            fixed=self.span(fixed_units(self._pair, alpha)),
            within_window=float((units <= self._experiment.windows.max_units).mean()),
        )

    def chances(self) -> Chances:
        """How the chance of a proof grows from the first promotion that is allowed."""
        alpha = alpha_of(1, self._experiment.alpha, self._experiment.windows.max_trials)
        at = np.linspace(self._experiment.windows.min_units, self._longest(alpha) / 2.0, POINTS)
        units = np.sort(self._crossings(alpha))
        return Chances(
            days=tuple(self.span(float(one)).days for one in at),
            evidence=tuple((np.searchsorted(units, at, side="right") / units.size).tolist()),
            fixed=tuple(fixed_power(self._pair, alpha, at).tolist()),
        )

    def _crossings(self, alpha: float) -> FloatArray:
        return crossings(
            self._pair,
            -log(alpha),
            bets=bets_for(self._experiment.objective.mde),
            longest=self._longest(alpha),
            seed=self._seed,
        )

    def _longest(self, alpha: float) -> float:
        expected = -log(alpha) / information(self._pair)
        return max(FAR * expected, 2.0 * self._experiment.windows.max_units)


def _refuse(units_per_s: float, rate: float, effect: float) -> None:
    if not units_per_s > 0.0:
        raise ConfigError(f"the traffic is {units_per_s:g} units a second; write one above 0")
    if not 0.0 < rate < 1.0:
        raise ConfigError(f"the baseline's mean score is {rate:g}; it lies between 0 and 1")
    if not 0.0 < effect < 1.0 - rate:
        raise ConfigError(
            f"the effect is {effect:g}; above a mean score of {rate:g} it lies between 0 and "
            f"{1.0 - rate:g}"
        )
