"""The charts of a report, drawn as SVG without a browser, a script or a network."""

import itertools
import re
from collections.abc import Mapping, Sequence

import altair as alt
import vl_convert

from search.reports.contents import WIDE, Contents, Tried
from search.reports.series import Point

WIDTH = 680
GREY = "#9aa0a6"
COLOURS = (
    "#1b6ca8", "#e07b39", "#2a9d62", "#b5446e", "#7d5ba6", "#c9a227", "#3aa6a0", "#8c564b",
    "#5271c4", "#d1495b", "#6b8e23", "#a05195", "#d98880", "#117a65", "#7f8c8d", "#b9770e",
)  # fmt: skip

Row = Mapping[str, str | float | None]


def charts_of(contents: Contents) -> dict[str, str]:
    """Every chart for which there is something to show, as SVG, by name."""
    drawn = {
        "evidence": _evidence(contents),
        "shares": _shares(contents),
        "quality": _quality(contents.trials),
        "latency": _latency(contents.trials, contents.experiment.guardrails.latency_ratio),
    }
    charts = [(name, chart) for name, chart in drawn.items() if chart is not None]
    return {name: svg_of(chart, name) for name, chart in charts}


def label_of(tried: Tried) -> str:
    """What a window's row is called."""
    ending = " (ramp)" if tried.window.kind == "ramp" else ""
    return f"{tried.window.candidate}{ending}"


def _evidence(contents: Contents) -> alt.TopLevelMixin | None:
    lines = [
        one
        for one in contents.tried
        if one.window.kind == "trial" and any(point.candidate_units for point in one.points)
    ]
    if not lines:
        return None
    rows = [_evidence_row(one, point) for one in lines for point in one.points]
    ends = [
        {
            **_evidence_row(one, one.points[-1]),
            "end": one.window.verdict.action if one.window.verdict else "open",
        }
        for one in lines
    ]
    colour = _colour(contents, list(dict.fromkeys(one.window.candidate for one in lines)))
    x = alt.X("units:Q", title="matured candidate units")
    y = alt.Y("log_e:Q", title="evidence (log e)")
    drawn = (
        alt.Chart(data_of(rows))
        .mark_line(strokeWidth=2)
        .encode(x=x, y=y, color=colour, detail="window:N")
    )
    shape = alt.Shape("end:N", title="ended by", scale=_SHAPES)
    marked = (
        alt.Chart(data_of(ends))
        .mark_point(filled=True, size=70, opacity=1)
        .encode(x=x, y=y, color=colour, shape=shape)
    )
    return alt.layer(drawn, marked, *_thresholds(lines)).properties(width=WIDTH, height=320)


def _evidence_row(one: Tried, point: Point) -> Row:
    window = one.window
    return {
        "window": window.id,
        "variant": window.candidate,
        "units": point.candidate_units,
        "log_e": point.log_e,
    }


_SHAPES = alt.Scale(
    domain=["promote", "stop", "rollback", "open"],
    range=["triangle-up", "cross", "triangle-down", "circle"],
)


def _thresholds(lines: Sequence[Tried]) -> list[alt.Chart]:
    """The least and the most evidence that any of these candidates needed."""
    needed = sorted({one.needed for one in lines if one.needed is not None})
    if not needed:
        return []
    low, high = f"{needed[0]:.2f}", f"{needed[-1]:.2f}"
    text = f"needed: {low}" if low == high else f"needed: {low} to {high}"
    rules = data_of([{"height": height} for height in dict.fromkeys([needed[0], needed[-1]])])
    note = data_of([{"height": needed[-1], "text": text}])
    y = alt.Y("height:Q")
    return [
        alt.Chart(rules).mark_rule(strokeDash=[6, 4], color="#444").encode(y=y),
        alt.Chart(note)
        .mark_text(align="right", dy=-7, color="#444")
        .encode(y=y, x=alt.value(WIDTH), text="text:N"),
    ]


def _shares(contents: Contents) -> alt.TopLevelMixin | None:
    if not contents.shares:
        return None
    names = _candidates_first(contents)
    rows: list[Row] = []
    tops: dict[float, float] = {}
    for span in sorted(contents.shares, key=lambda span: names.index(span.variant)):
        low = tops.get(span.begin, 0.0)
        tops[span.begin] = low + span.share
        rows.append(
            {
                "begin": (span.begin - contents.started_at) / 60.0,
                "end": (span.end - contents.started_at) / 60.0,
                "variant": span.variant,
                "low": low,
                "high": low + span.share,
            }
        )
    axis, scale = alt.Axis(format="%"), alt.Scale(domain=[0, 1])
    drawn: alt.Chart = (
        alt.Chart(data_of(rows))
        .mark_rect()
        .encode(
            x=alt.X("begin:Q", title="minutes since the experiment began"),
            x2="end:Q",
            y=alt.Y("low:Q", title="share of the traffic", axis=axis, scale=scale),
            y2="high:Q",
            color=_colour(contents, names),
        )
        .properties(width=WIDTH, height=260)
    )
    return drawn


def _candidates_first(contents: Contents) -> list[str]:
    """The variants in the order of their drawing, from below; what was there first lies on top."""
    names = list(dict.fromkeys(span.variant for span in contents.shares))
    return [*names[1:], names[0]]


def _quality(trials: Sequence[Tried]) -> alt.TopLevelMixin | None:
    rows: list[Row] = []
    for one in trials:
        mean, se = one.figures.get("candidate_mean"), one.figures.get("se")
        if mean is not None and se is not None:
            rows.append(
                {
                    "variant": label_of(one),
                    "mean": mean,
                    "low": mean - WIDE * se,
                    "high": mean + WIDE * se,
                    "baseline": one.figures.get("baseline_mean"),
                }
            )
    return _intervals(rows, "mean rating", axis_format="%")


def _latency(trials: Sequence[Tried], limit: float) -> alt.TopLevelMixin | None:
    rows: list[Row] = [
        {
            "variant": label_of(one),
            "mean": one.latency.estimate,
            "low": one.latency.low,
            "high": one.latency.high,
            "baseline": one.baseline_latency_s,
        }
        for one in trials
        if one.latency is not None
    ]
    title = f"geometric mean latency in seconds (limit {limit:g} times the baseline's)"
    return _intervals(rows, title, axis_format="~g")


def _intervals(rows: Sequence[Row], title: str, *, axis_format: str) -> alt.TopLevelMixin | None:
    """A dot with its 95 % interval per variant, and a tick for the baseline at the same time."""
    if not rows:
        return None
    data = data_of(rows)
    y = alt.Y("variant:N", title=None, sort=[str(row["variant"]) for row in rows])
    axis = alt.Axis(format=axis_format, tickCount=8)
    scale = alt.Scale(zero=False)
    bar = (
        alt.Chart(data)
        .mark_rule(strokeWidth=2, color=COLOURS[0])
        .encode(y=y, x=alt.X("low:Q", title=title, axis=axis, scale=scale), x2="high:Q")
    )
    dot = (
        alt.Chart(data)
        .mark_point(filled=True, size=60, color=COLOURS[0], opacity=1)
        .encode(y=y, x=alt.X("mean:Q", title=title, scale=scale))
    )
    tick = (
        alt.Chart(data)
        .mark_tick(thickness=2, size=16, color="#444")
        .encode(y=y, x=alt.X("baseline:Q", title=title, scale=scale))
    )
    return alt.layer(bar, dot, tick).properties(width=WIDTH, height=alt.Step(24))


def _colour(contents: Contents, names: Sequence[str]) -> alt.Color:
    """One colour a variant in every chart, grey for the baseline it began with."""
    first = next((one.window.baseline for one in contents.tried), contents.workflow.baseline)
    order = list(dict.fromkeys(one.window.candidate for one in contents.trials))
    hues = dict(zip(order, itertools.cycle(COLOURS), strict=False))
    hues[first] = GREY
    shades = [hues.get(name, GREY) for name in names]
    scale = alt.Scale(domain=list(names), range=shades)
    return alt.Color("variant:N", title="variant", scale=scale, sort=list(names))


def data_of(rows: Sequence[Row]) -> alt.InlineData:
    """Rows inside the drawing itself."""
    return alt.InlineData(values=[dict(row) for row in rows])


def svg_of(chart: alt.TopLevelMixin, name: str) -> str:
    """A chart as SVG; `name` keeps its ids apart from those of other charts on a page."""
    plain = chart.configure(font="sans-serif", background="white").configure_view(stroke=None)
    svg: str = vl_convert.vegalite_to_svg(plain.to_json(), vl_version="6.4")
    # Ids are unique within one drawing only, and a page holds several.
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', svg)
    return re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", svg)
