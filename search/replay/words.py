"""A policy's replays in one row that people can read; what nobody measured has no figure."""

from collections.abc import Sequence

from engine.stats.interval import Interval
from search.replay.summary import PolicySummary, Reached
from search.words import percent, points

NONE = "-"
COLUMNS = (
    "policy",
    "promotions",
    "truly worse",
    "replays with a mistake",
    "true lift (rank)",
    "regret a request",
    "first true promotion",
    "holds the best",
    "worst segment",
    "cost of 1,000",
    "ever too slow",
)
AMONG_EQUALS = ("policy", "promotions", "replays with a mistake")


def table_of(
    summaries: Sequence[PolicySummary], *, aa: bool
) -> tuple[tuple[str, ...], list[list[str]]]:
    """The heads and the rows; among equals only what promoted by mistake is left to tell."""
    rows = [_row(one) for one in summaries]
    if not aa:
        return COLUMNS, rows
    shown = [COLUMNS.index(name) for name in AMONG_EQUALS]
    return AMONG_EQUALS, [[row[place] for place in shown] for row in rows]


def _row(summary: PolicySummary) -> list[str]:
    return [
        summary.policy,
        _made(summary),
        NONE if summary.worse_share is None else _share(summary.worse_share),
        _share(summary.mistaken),
        _lift(summary),
        _gap(summary.regret_per_request),
        _requests(summary.first_true_promotion),
        _share(summary.holds_best),
        NONE if summary.worst_segment_harm is None else points(summary.worst_segment_harm),
        _cost(summary.cost_per_request),
        percent(summary.too_slow.estimate, digits=0),
    ]


def _made(summary: PolicySummary) -> str:
    back = f", {summary.rollbacks} taken back" if summary.rollbacks else ""
    return f"{summary.promotions} in {summary.replicates} replays{back}"


def _lift(summary: PolicySummary) -> str:
    if summary.true_lift is None:
        return NONE
    rank = "" if summary.true_rank is None else f" ({summary.true_rank:g})"
    return f"{points(summary.true_lift)}{rank}"


def _cost(cost: float | None) -> str:
    if cost is None:
        return NONE
    thousand = cost * 1_000
    return f"{thousand:,.0f}" if thousand >= 100.0 else f"{thousand:.4g}"


def _share(interval: Interval) -> str:
    low, high = interval.low * 100, interval.high * 100
    return f"{percent(interval.estimate)} ({low:.1f} to {high:.1f})"


def _gap(interval: Interval) -> str:
    half = (interval.high - interval.low) / 2.0
    return f"{interval.estimate * 100:.2f} ± {half * 100:.2f} points"


def _requests(reached: Reached) -> str:
    median = "never" if reached.median is None else f"{reached.median:,}"
    p90 = "never" if reached.p90 is None else f"{reached.p90:,}"
    return f"median {median}, p90 {p90}"
