"""What a command prints: data on standard output, talk on standard error."""

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

WIDE = 200
"""Columns when nobody's terminal limits them, so that a pipe gets whole lines."""


def show_json(value: Any) -> None:
    """Print a value as one line of JSON."""
    sys.stdout.write(json.dumps(value, allow_nan=False, default=str) + "\n")
    sys.stdout.flush()


def show(text: str) -> None:
    """Print text as it is, without reading markup into it."""
    console().print(Text(text), soft_wrap=True)


def show_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under their heads; a cell's text is never read as markup."""
    table = Table(title=Text(title), title_justify="left", header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console().print(table)


def say(text: str) -> None:
    """Tell a person something that is no data."""
    Console(stderr=True).print(Text(text), soft_wrap=True)


def console() -> Console:
    """Standard output; as wide as the terminal, or wide where there is none."""
    made = Console()
    return made if made.is_terminal else Console(width=WIDE)


def clock(at: float) -> str:
    """A time for people."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")
