"""Writes the report of an experiment: one HTML file, and Markdown with its charts beside it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from engine.books.durable import write_whole
from search.reports.charts import charts_of
from search.reports.contents import Contents, gather
from search.reports.page import page_of

_SPECIAL = re.compile(r"([\\`*_\[\]<>|~])")


@dataclass(frozen=True)
class ReportPaths:
    """Where a report lies."""

    html: Path
    markdown: Path


def write_report(
    root: Path, experiment: str, out: Path, extra: Mapping[str, Any] | None = None
) -> ReportPaths:
    """Report an experiment's newest start from the two books.

    `extra` may hold what the books don't: `holdout` with baseline, promoted, low and high, alone or
    under `demo`. The HTML is one file without scripts, and nothing in it is fetched.

    Raises:
        NotFoundError: The experiment was never started.
        StoreFullError: The disk is full.
    """
    return written(gather(root, experiment, extra or {}), out)


def written(contents: Contents, out: Path) -> ReportPaths:
    """Write contents down under `out`."""
    page = page_of(contents)
    svgs = charts_of(contents)
    paths = ReportPaths(html=out / "report.html", markdown=out / "report.md")
    for name, svg in svgs.items():
        write_whole(out / f"{name}.svg", svg.encode())
    html = templates(autoescape=True).get_template("report.html.j2")
    markdown = templates(autoescape=False).get_template("report.md.j2")
    write_whole(paths.html, html.render(page, svgs=svgs).encode())
    write_whole(paths.markdown, markdown.render(page, svgs=svgs).encode())
    return paths


def templates(*, autoescape: bool) -> Environment:
    """The report's templates; values are escaped for HTML, or by the filter `md`."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=autoescape,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters["md"] = _escaped
    return environment


def _escaped(text: object) -> str:
    """Text that Markdown prints as it is, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(str(text).split())).replace("&", "&amp;")
