"""Writes a comparison of policies down: data for machines, a page and a chart for people."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engine.books.durable import write_whole
from search.replay.summary import PolicySummary, curves_of
from search.replay.track import ReplayResult
from search.replay.words import table_of
from search.reports.curves import Axes, Line, lines_svg

CHART = "quality.svg"


@dataclass(frozen=True)
class ReplayPaths:
    """Where a comparison lies."""

    markdown: Path
    chart: Path
    data: Path


def write_replay(
    out: Path,
    told: Mapping[str, Any],
    summaries: Sequence[PolicySummary],
    results: Sequence[ReplayResult],
    quality: Mapping[str, float],
) -> ReplayPaths:
    """Write a comparison under `out`; `told` is its data, `quality` that of each variant.

    Raises:
        StoreFullError: The disk is full.
    """
    paths = ReplayPaths(out / "replay.md", out / CHART, out / "replay.json")
    data = {**told, "replays": [asdict(result) for result in results]}
    write_whole(paths.data, (json.dumps(data, allow_nan=False) + "\n").encode())
    lines = [
        Line(curve.policy, curve.requests, curve.quality) for curve in curves_of(results, quality)
    ]
    axes = Axes(x="requests", y="true quality of the deployed variant", colour="policy")
    write_whole(paths.chart, lines_svg("quality", lines, axes).encode())
    write_whole(paths.markdown, _page(told, summaries).encode())
    return paths


def _page(told: Mapping[str, Any], summaries: Sequence[PolicySummary]) -> str:
    title = "Among equals: every promotion is a mistake" if told["aa"] else "Policies compared"
    columns, cells = table_of(summaries, aa=told["aa"])
    rows = [columns, ["---"] * len(columns), *cells]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return (
        f"# {title}\n\n{told['variants']} variants of `{told['outcomes']}`, "
        f"{told['replicates']} replays of {told['requests']:,} requests each, beginning with "
        f"`{told['baseline']}`.\n\n{table}\n\n![deployed quality]({CHART})\n"
    )
