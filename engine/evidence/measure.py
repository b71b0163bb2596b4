"""From stored facts to the sample of one pair of variants."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from engine.stats.betting import LEVELS, Tally
from engine.stats.moments import Moments, moments_of
from engine.stats.ratio import Stratum
from engine.stats.sample import Sample

UNIT = ("unit_id", "epoch")
"""What counts once."""


@dataclass(frozen=True)
class Facts:
    """What serving wrote, up to one catalogue number."""

    exposures: pl.DataFrame
    traces: pl.DataFrame
    feedback: pl.DataFrame


@dataclass(frozen=True)
class Shares:
    """Planned shares of one pair under one snapshot version, in buckets."""

    candidate: int
    baseline: int

    @property
    def propensity(self) -> float:
        """Chance that a unit of the pair is the candidate's."""
        return self.candidate / (self.candidate + self.baseline)


@dataclass(frozen=True)
class Pair:
    """Whose units are compared: by variant, owning window and snapshot version.

    The baseline's units are those in buckets that no window's variant owns, except in a holdback,
    where the roles are turned: there the former baseline owns `baseline_windows`.
    """

    candidate: str
    baseline: str
    candidate_windows: tuple[str, ...]
    baseline_windows: tuple[str, ...]
    shares: Mapping[int, Shares]
    """By snapshot version; units of other versions don't count."""


def measure(facts: Facts, pair: Pair, *, now: float, maturation_s: float) -> Sample:
    """Everything known about a pair: units in assignment order, intention to treat.

    A unit counts once per epoch, at its first exposure, and matures `maturation_s` after it. Its
    outcome is what was known by then: requests that began later, answers that finished later and
    feedback that came later change nothing, whatever they say.
    """
    exposures = _exposures(facts.exposures, pair, maturation_s)
    units = _units(_requests(exposures, facts, now), now)
    versions = [(shares, units.filter(version=v)) for v, shares in sorted(pair.shares.items())]
    cells = [_Cell(shares, units) for shares, units in versions if units.height]
    matured = units.filter("matured")
    candidate_units = int(matured["candidate"].sum())
    return Sample(
        quality=tuple(cell.quality() for cell in cells),
        no_error=tuple(cell.no_error() for cell in cells),
        errors=tuple(cell.errors() for cell in cells),
        latency=tuple(cell.latency() for cell in cells),
        exposed=tuple(cell.exposed() for cell in cells),
        candidate_units=candidate_units,
        baseline_units=matured.height - candidate_units,
        elapsed_s=_elapsed(units, matured),
        digest=_digest(units),
    )


def _exposures(exposures: pl.DataFrame, pair: Pair, maturation_s: float) -> pl.DataFrame:
    """The pair's exposures within their unit's horizon; forced and lapsed ones are left out."""
    own = pl.col("window").is_in(list(pair.candidate_windows)) & (
        pl.col("variant") == pair.candidate
    )
    other = pl.col("window").is_in(list(pair.baseline_windows)) & (
        pl.col("variant") == pair.baseline
    )
    windows = [name for name in (*pair.candidate_windows, *pair.baseline_windows) if name]
    lapsed = pl.any_horizontal(
        pl.lit(value=False),
        *(pl.col("lapsed").str.contains(f",{name},", literal=True) for name in windows),
    )
    return (
        exposures.filter(
            ~pl.col("forced"), ~lapsed, own | other, pl.col("version").is_in(list(pair.shares))
        )
        .with_columns(candidate=own, until=pl.col("at").min().over(UNIT) + maturation_s)
        .filter(pl.col("at") <= pl.col("until"))
    )


def _requests(exposures: pl.DataFrame, facts: Facts, now: float) -> pl.DataFrame:
    """One row a request, in the order of time: whether it failed, how long it took, its rating."""
    known = exposures.select("trace_id", "at", "until")
    answered = (
        facts.traces.select("trace_id", "duration_s", "status")
        .join(known, on="trace_id")
        .filter(pl.col("at") + pl.col("duration_s") <= pl.col("until"))
        .select("trace_id", "duration_s", "status")
    )
    rated = (
        facts.feedback.filter(metric="quality")
        .select("trace_id", "score", rated_at="at")
        .join(known, on="trace_id")
        .filter(pl.col("rated_at") <= pl.col("until"))
        .group_by("trace_id")
        # The last word counts; of two at the same time, whatever their order in the files.
        .agg(pl.col("score").sort_by("rated_at", "score").last())
    )
    lost = pl.col("status").is_null() & (pl.col("until") <= now)
    failed = lost | (pl.col("status") != "ok").fill_null(value=False)
    return (
        exposures.join(answered, on="trace_id", how="left")
        .join(rated, on="trace_id", how="left")
        .with_columns(failed=failed)
        .with_columns(
            score=pl.when("failed").then(0.0).otherwise("score"),
            duration_s=pl.when("failed").then(None).otherwise("duration_s"),
        )
        .sort("at", "trace_id")
    )


def _units(requests: pl.DataFrame, now: float) -> pl.DataFrame:
    """One row a unit and epoch, at its first exposure; unmatured ones have no score yet."""
    matured = pl.col("until") <= now
    return (
        requests.group_by(UNIT)
        .agg(
            pl.col("at", "until", "version", "candidate").first(),
            pl.col("failed").any(),
            pl.col("score", "duration_s").mean(),
        )
        .with_columns(
            matured=matured,
            score=pl.when(matured).then("score"),
            duration_s=pl.when(matured).then("duration_s"),
        )
        .sort("at", *UNIT)
    )


@dataclass(frozen=True)
class _Cell:
    """The units of one snapshot version."""

    shares: Shares
    units: pl.DataFrame

    @property
    def matured(self) -> pl.DataFrame:
        return self.units.filter("matured")

    def quality(self) -> Tally:
        return self._tally(pl.col("score"))

    def no_error(self) -> Tally:
        return self._tally((~pl.col("failed")).cast(pl.Float64))

    def errors(self) -> tuple[float, int, int]:
        failed = self.units.filter("failed")
        return self.shares.propensity, int(failed["candidate"].sum()), failed.height

    def latency(self) -> Stratum:
        return Stratum(*(self._log_moments(candidate=side) for side in (True, False)))

    def exposed(self) -> tuple[tuple[int, ...], tuple[float, ...]]:
        candidates = int(self.units["candidate"].sum())
        propensity = self.shares.propensity
        return (candidates, self.units.height - candidates), (propensity, 1 - propensity)

    def _tally(self, score: pl.Expr) -> Tally:
        level = (score * (LEVELS - 1)).round().cast(pl.Int64)
        scored = self.matured.select("candidate", level=level)
        sides = [scored.filter(candidate=side)["level"] for side in (True, False)]
        counts = [np.bincount(side.drop_nulls().to_numpy(), minlength=LEVELS) for side in sides]
        return Tally(
            pi=self.shares.propensity,
            candidate=counts[0].astype(np.int64),
            baseline=counts[1].astype(np.int64),
            candidate_unrated=sides[0].null_count(),
            baseline_unrated=sides[1].null_count(),
        )

    def _log_moments(self, *, candidate: bool) -> Moments:
        timed = self.matured.filter(pl.col("duration_s") > 0, candidate=candidate)
        return moments_of(np.log(timed["duration_s"].to_numpy()))


def _elapsed(units: pl.DataFrame, matured: pl.DataFrame) -> float:
    if matured.height == 0:
        return 0.0
    return float(matured["at"][-1]) - float(units["at"][0])


def _digest(units: pl.DataFrame) -> str:
    columns = ("at", "version", "candidate", "matured", "failed", "score", "duration_s")
    seen = hashlib.sha256()
    for row in units.select(*UNIT, *columns).iter_rows():
        seen.update(repr(row).encode())
    return seen.hexdigest()
