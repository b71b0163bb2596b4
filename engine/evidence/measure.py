"""From stored facts to the sample of one pair of variants."""

import hashlib
from collections.abc import Sequence

import polars as pl

from engine.evidence.cell import Cell
from engine.evidence.facts import Facts, Pair, Shares
from engine.evidence.past import Past, past_of
from engine.evidence.questions import Questions, least_of, most_of, score_of
from engine.evidence.requests import UNIT, requests_of
from engine.evidence.rounding import rounded
from engine.stats.betting import Tally
from engine.stats.quantile import Histogram, histogram_of
from engine.stats.sample import Batch, Sample

__all__ = [
    "UNIT",
    "Facts",
    "Pair",
    "Questions",
    "Shares",
    "batches",
    "durations",
    "matured_at",
    "measure",
]

USERS_SCORE = Questions()


def measure(
    facts: Facts,
    pair: Pair,
    *,
    now: float,
    maturation_s: float,
    questions: Questions = USERS_SCORE,
) -> Sample:
    """Everything known about a pair: units in assignment order, intention to treat.

    A unit counts once per epoch, at its first exposure, and matures `maturation_s` after it. Its
    outcome is what was known by then: requests that began later, answers that finished later and
    feedback that came later change nothing, whatever they say.
    """
    exposures = _exposures(facts.exposures, pair, maturation_s)
    units = _units(requests_of(exposures, facts, questions, now=now), questions, now)
    past = _past(facts, pair, questions, now=now, maturation_s=maturation_s)
    versions = [(shares, units.filter(version=v)) for v, shares in sorted(pair.shares.items())]
    cells = [Cell(shares, units, questions, past) for shares, units in versions if units.height]
    matured = units.filter("matured")
    candidate_units = int(matured["candidate"].sum())
    limit_s = _limit(past, questions)
    return Sample(
        quality=tuple(tally for cell in cells for tally in cell.objective()),
        no_error=tuple(cell.without("failed") for cell in cells),
        errors=tuple(cell.errors() for cell in cells),
        latency=tuple(cell.latency() for cell in cells),
        exposed=tuple(cell.exposed() for cell in cells),
        candidate_units=candidate_units,
        baseline_units=matured.height - candidate_units,
        elapsed_s=_elapsed(units, matured),
        digest=_digest(units, questions),
        completed=tuple(cell.completed() for cell in cells),
        scored=tuple(cell.scored() for cell in cells),
        no_timeout=tuple(c.without("timed_out") for c in cells if questions.timeouts),
        slow=tuple(cell.slow(limit_s) for cell in cells if limit_s is not None),
        quick=_quick(cells, past, limit_s),
        slow_s=limit_s,
        cost=tuple(cell.cost(_currency(matured)) for cell in cells if questions.cost),
        metrics={name: tuple(cell.scores(name) for cell in cells) for name in questions.metrics},
        segments={name: tuple(cell.segment(name) for cell in cells) for name in questions.segments},
        centres=past.centres,
        against=tuple(tally for cell in cells for tally in cell.against()),
    )


def durations(
    facts: Facts, pair: Pair, *, now: float, maturation_s: float
) -> tuple[Histogram, Histogram]:
    """How long the candidate's and the baseline's matured units took, those that did not fail."""
    exposures = _exposures(facts.exposures, pair, maturation_s)
    units = _units(requests_of(exposures, facts, USERS_SCORE, now=now), USERS_SCORE, now)
    timed = units.filter("matured").drop_nulls("duration_s")
    candidate, baseline = (
        histogram_of(timed.filter(candidate=side)["duration_s"].to_numpy())
        for side in (True, False)
    )
    return candidate, baseline


def matured_at(
    facts: Facts, pair: Pair, count: int, *, now: float, maturation_s: float
) -> float | None:
    """The moment at which this many candidate units had matured; None while fewer have."""
    exposures = _exposures(facts.exposures, pair, maturation_s).sort("at", "trace_id")
    units = exposures.group_by(UNIT).agg(pl.col("until", "candidate").first())
    moments = units.filter(pl.col("candidate") & (pl.col("until") <= now))["until"].sort()
    return float(moments[count - 1]) if moments.len() >= count else None


def batches(
    facts: Facts,
    pair: Pair,
    *,
    now: float,
    maturation_s: float,
    size: int,
    questions: Questions = USERS_SCORE,
) -> list[Batch]:
    """Each `size` matured units in assignment order, oldest first.

    The last units wait until their batch is full: what a batch holds never changes, whenever it is
    asked for.
    """
    exposures = _exposures(facts.exposures, pair, maturation_s)
    units = _units(requests_of(exposures, facts, questions, now=now), questions, now)
    matured = units.filter("matured")
    parts = matured.head(matured.height // size * size).iter_slices(size)
    return [_batch(part, pair, questions) for part in parts]


def _batch(units: pl.DataFrame, pair: Pair, questions: Questions) -> Batch:
    cells = [
        Cell(pair.shares[version], units.filter(version=version), questions, Past())
        for version in sorted(units["version"].unique())
    ]
    return Batch(
        quality=tuple(tally for cell in cells for tally in cell.objective()),
        errors=tuple(cell.errors() for cell in cells),
    )


def _exposures(exposures: pl.DataFrame, pair: Pair, maturation_s: float) -> pl.DataFrame:
    """The pair's exposures within their unit's horizon; forced and lapsed ones are left out.

    So is a unit that met another candidate first: when that one's share shrank it could only come
    to the baseline, so its side was no longer drawn by the pair's shares.
    """
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
    of_pair = own | other
    begun = pl.when(of_pair).then("at").min().over(UNIT)
    elsewhere = pl.when(~of_pair).then("at").min().over(UNIT)
    return (
        exposures.filter(~pl.col("forced"), ~lapsed, pl.col("version").is_in(list(pair.shares)))
        .with_columns(candidate=own, until=begun + maturation_s, elsewhere=elsewhere)
        .filter(
            of_pair,
            pl.col("at") <= pl.col("until"),
            pl.col("elsewhere").is_null() | (begun <= pl.col("elsewhere")),
        )
        .drop("elsewhere")
    )


def _units(requests: pl.DataFrame, questions: Questions, now: float) -> pl.DataFrame:
    """One row a unit and epoch, at its first exposure; unmatured ones have no outcome yet."""
    matured = pl.col("until") <= now
    ends = [end(name) for name in questions.calibrated for end in (least_of, most_of)]
    means = [
        *(score_of(name) for name in questions.asked),
        *ends,
        *("duration_s", "cost_usd", "tokens"),
    ]
    units = (
        requests.group_by(UNIT)
        .agg(
            pl.col("at", "until", "version", "candidate", "segment").first(),
            pl.col("failed", "timed_out").any(),
            pl.col("traced").all(),
            pl.col(means).mean(),
        )
        .with_columns(matured=matured, **{name: pl.when(matured).then(name) for name in means})
        .sort("at", *UNIT)
    )
    return rounded(units, questions)


def _past(
    facts: Facts, pair: Pair, questions: Questions, *, now: float, maturation_s: float
) -> Past:
    """What the baseline's own units say, if anything is asked that has to be frozen."""
    if not questions.metrics and questions.slow_ratio is None:
        return Past()
    alone = Pair(
        candidate="",
        baseline=pair.baseline,
        candidate_windows=(),
        baseline_windows=("",),
        shares=dict.fromkeys(pair.history, Shares(1, 1)),
    )
    exposures = _exposures(facts.exposures, alone, maturation_s)
    units = _units(requests_of(exposures, facts, questions, now=now), questions, now)
    return past_of(units.filter("matured"), questions, pair.opened_at)


def _limit(past: Past, questions: Questions) -> float | None:
    """What a candidate's slowest units may take; None until the percentile is frozen."""
    if past.percentile_s is None or questions.slow_ratio is None:
        return None
    return past.percentile_s * questions.slow_ratio


def _quick(cells: Sequence[Cell], past: Past, limit_s: float | None) -> tuple[Tally, ...]:
    if past.percentile_s is None or limit_s is None:
        return ()
    return tuple(cell.quick(limit_s, past.percentile_s) for cell in cells)


def _currency(matured: pl.DataFrame) -> str:
    """Money, or tokens where nothing has cost any."""
    return "cost_usd" if (matured["cost_usd"] > 0.0).any() else "tokens"


def _elapsed(units: pl.DataFrame, matured: pl.DataFrame) -> float:
    if matured.height == 0:
        return 0.0
    return float(matured["at"][-1]) - float(units["at"][0])


def _digest(units: pl.DataFrame, questions: Questions) -> str:
    score = score_of(questions.objective)
    columns = ("at", "version", "candidate", "matured", "failed", score, "duration_s")
    seen = hashlib.sha256()
    for row in units.select(*UNIT, *columns, *questions.extra).iter_rows():
        seen.update(repr(row).encode())
    return seen.hexdigest()
