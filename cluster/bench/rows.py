"""What every benchmark prints: rows with a goal and a peer, as a table or as one line of JSON."""

import operator
import os
import platform
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from cluster.output import show_json, show_table

COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}


class Row(BaseModel):
    """One measured figure."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    id: str
    what: str
    value: float | None
    """None where it could not be measured, which never passes."""
    low: float | None = None
    high: float | None = None
    """The value's interval at 95 %."""
    unit: str
    goal: str | None = None
    """A comparison such as `<= 0.05`."""
    peer: float | None = None
    ratio: float | None = None
    """The value over the peer's."""
    passed: bool | None = Field(None, alias="pass")
    """None where there is no goal."""


def judged(row: Row, *, tolerance: float = 0.0) -> Row:
    """The row with its verdict; `tolerance` is what chance may add or take at this many runs."""
    if row.goal is None:
        return row
    sign, mark = row.goal.split()
    slack = tolerance if sign.startswith("<") else -tolerance
    met = row.value is not None and COMPARISONS[sign](row.value, float(mark) + slack)
    return row.model_copy(update={"passed": met})


def compared(row: Row, peer: float) -> Row:
    """The row beside its peer."""
    ratio = row.value / peer if row.value is not None and peer else None
    return row.model_copy(update={"peer": peer, "ratio": ratio})


def show_rows(bench: str, rows: Sequence[Row], seconds: float, *, as_json: bool) -> bool:
    """Print a benchmark's rows; whether every goal was met."""
    if as_json:
        told: dict[str, Any] = {"bench": bench, "machine": machine(), "seconds": round(seconds, 1)}
        show_json(told | {"rows": [row.model_dump(by_alias=True) for row in rows]})
    else:
        title = f"{bench}: {seconds:.0f} s on {machine()}"
        show_table(
            title, ("id", "what", "value", "95 %", "goal", "", "peer", "ratio"), _cells(rows)
        )
    return all(row.passed is not False for row in rows)


def machine() -> str:
    """The processor, its cores and the Python that ran."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = names[0].partition(":")[2].strip() if names else model
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}"


def _cells(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    verdicts = {True: "pass", False: "MISS", None: ""}
    return [
        (
            row.id,
            row.what,
            f"{_figure(row.value)} {row.unit}".strip(),
            "" if row.low is None else f"{_figure(row.low)} to {_figure(row.high)}",
            row.goal or "",
            verdicts[row.passed],
            "" if row.peer is None else _figure(row.peer),
            "" if row.ratio is None else _figure(row.ratio),
        )
        for row in rows
    ]


def _figure(value: float | None) -> str:
    return "unmeasured" if value is None else f"{value:.4g}"
