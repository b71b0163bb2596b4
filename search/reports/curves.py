"""A chart of lines over one axis, as SVG."""

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt

from search.reports.charts import COLOURS, WIDTH, Row, data_of, svg_of

HEIGHT = 320


@dataclass(frozen=True)
class Line:
    """One named line, by its points in their order."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True)
class Axes:
    """What a chart's axes and colours mean."""

    x: str
    y: str
    colour: str
    y_low: float | None = None
    """Where the vertical axis begins; None leaves it to the lines."""
    y_high: float | None = None


def lines_svg(name: str, lines: Sequence[Line], axes: Axes) -> str:
    """Draw lines, each in its own colour; heights are parts of 1 and shown in percent."""
    rows: list[Row] = [
        {"line": line.name, "x": x, "y": y}
        for line in lines
        for x, y in zip(line.x, line.y, strict=True)
    ]
    names = [line.name for line in lines]
    fixed = axes.y_low is not None and axes.y_high is not None
    scale = alt.Scale(domain=[axes.y_low, axes.y_high]) if fixed else alt.Scale(zero=False)
    chart = (
        alt.Chart(data_of(rows))
        .mark_line(strokeWidth=2)
        .encode(
            x=alt.X("x:Q", title=axes.x),
            y=alt.Y("y:Q", title=axes.y, axis=alt.Axis(format="~%"), scale=scale),
            color=alt.Color(
                "line:N",
                title=axes.colour,
                sort=names,
                scale=alt.Scale(domain=names, range=list(COLOURS[: len(names)])),
            ),
        )
        .properties(width=WIDTH, height=HEIGHT)
    )
    return svg_of(chart, name)
