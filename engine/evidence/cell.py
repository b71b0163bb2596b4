"""The counters of a pair's units under one snapshot version."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from engine.evidence.facts import Shares
from engine.evidence.past import Past
from engine.evidence.questions import Questions, least_of, most_of, score_of
from engine.stats.betting import LEVELS, Tally
from engine.stats.moments import Moments, moments_of
from engine.stats.ratio import Stratum
from engine.stats.tally import PLAIN, Scale

Counts = tuple[tuple[int, ...], tuple[float, ...]]


@dataclass(frozen=True)
class Cell:
    """The units of one snapshot version."""

    shares: Shares
    units: pl.DataFrame
    questions: Questions
    past: Past

    @property
    def matured(self) -> pl.DataFrame:
        """The units whose outcome is final."""
        return self.units.filter("matured")

    def scores(self, name: str) -> Tally:
        """A guardrail's scores; of a calibrated one missing labels speak against the candidate."""
        column = _against(name) if name in self.questions.calibrated else pl.col(score_of(name))
        return self._tally(self.matured, column, scale=self.questions.scale(name))

    def objective(self) -> tuple[Tally, ...]:
        """The objective's scores, those of segments with an expectation of their own apart."""
        return self._apart(pl.col(score_of(self.questions.objective)))

    def against(self) -> tuple[Tally, ...]:
        """The same with every missing label against the candidate; empty if none is ever asked."""
        name = self.questions.objective
        return self._apart(_against(name)) if name in self.questions.calibrated else ()

    def segment(self, name: str) -> Tally:
        """The objective's scores in one segment."""
        own, objective = self.matured.filter(segment=name), self.questions.objective
        scale = self.questions.scale(objective)
        return self._tally(own, pl.col(score_of(objective)), scale=scale)

    def without(self, flaw: str) -> Tally:
        """1 for a unit without the flaw, a column of truths, else 0."""
        return self._tally(self.matured, (~pl.col(flaw)).cast(pl.Float64))

    def errors(self) -> tuple[float, int, int]:
        """Failed units, matured or not."""
        failed = self.units.filter("failed")
        return self.shares.propensity, int(failed["candidate"].sum()), failed.height

    def latency(self) -> Stratum:
        """Moments of the logarithms of seconds."""
        timed = self.matured.filter(pl.col("duration_s") > 0)
        return self._moments(timed, pl.col("duration_s").log())

    def cost(self, unit: str) -> Stratum:
        """Moments of what a unit cost, in `cost_usd` or `tokens`."""
        return self._moments(self.matured, pl.col(unit))

    def exposed(self) -> Counts:
        """Every unit against the plan."""
        return self._planned(self.units)

    def completed(self) -> Counts:
        """Matured units without a lost trace."""
        return self._planned(self.matured.filter("traced"))

    def scored(self) -> Counts:
        """Matured units with a score of the objective."""
        scored = pl.col(score_of(self.questions.objective)).is_not_null()
        return self._planned(self.matured.filter(scored))

    def slow(self, limit_s: float) -> tuple[int, int]:
        """Candidate units slower than the limit, and all of them, since it was frozen."""
        own = self._since().filter("candidate")
        return int((own["taken"] > limit_s).sum()), own.height

    def quick(self, limit_s: float, percentile_s: float) -> Tally:
        """Candidate units within the limit and baseline units within the percentile."""
        within = pl.when("candidate").then(limit_s).otherwise(percentile_s)
        return self._tally(self._since(), (pl.col("taken") <= within).cast(pl.Float64))

    def _since(self) -> pl.DataFrame:
        """Matured units that arrived after the percentile was frozen, with what they took."""
        taken = pl.when("timed_out").then(float("inf")).otherwise("duration_s")
        late = self.matured.filter(pl.col("at") > self.past.since)
        return late.with_columns(taken=taken).drop_nulls("taken")

    def _planned(self, units: pl.DataFrame) -> Counts:
        candidates = int(units["candidate"].sum())
        propensity = self.shares.propensity
        return (candidates, units.height - candidates), (propensity, 1 - propensity)

    def _apart(self, score: pl.Expr) -> tuple[Tally, ...]:
        expected, scale = self.questions.expected, self.questions.scale(self.questions.objective)
        own = pl.col("segment").is_in(list(expected)).fill_null(value=False)
        rest = self._tally(self.matured.filter(~own), score, scale=scale)
        apart = [
            self._tally(self.matured.filter(segment=name), score, f=f, scale=scale)
            for name, f in sorted(expected.items())
        ]
        return rest, *apart

    def _tally(
        self,
        units: pl.DataFrame,
        score: pl.Expr,
        *,
        f: float | None = None,
        scale: Scale = PLAIN,
    ) -> Tally:
        level = (score * (LEVELS - 1)).round().cast(pl.Int64)
        scored = units.select("candidate", level=level)
        sides = [scored.filter(candidate=side)["level"] for side in (True, False)]
        counts = [np.bincount(side.drop_nulls().to_numpy(), minlength=LEVELS) for side in sides]
        return Tally(
            pi=self.shares.propensity,
            candidate=counts[0].astype(np.int64),
            baseline=counts[1].astype(np.int64),
            candidate_unrated=sides[0].null_count(),
            baseline_unrated=sides[1].null_count(),
            f=f,
            scale=scale,
        )

    def _moments(self, units: pl.DataFrame, value: pl.Expr) -> Stratum:
        return Stratum(*(self._side(units, value, candidate=side) for side in (True, False)))

    def _side(self, units: pl.DataFrame, value: pl.Expr, *, candidate: bool) -> Moments:
        values = units.filter(candidate=candidate).select(value=value)["value"].drop_nulls()
        return moments_of(values.to_numpy().astype(np.float64))


def _against(name: str) -> pl.Expr:
    return pl.when("candidate").then(least_of(name)).otherwise(most_of(name))
