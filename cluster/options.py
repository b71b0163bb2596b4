"""Options that every command has."""

from pathlib import Path
from typing import Annotated

import typer

DEFAULT = Path(".trimtab")

Workspace = Annotated[
    Path, typer.Option("--workspace", "-w", help="The folder that holds the two books.")
]
Json = Annotated[bool, typer.Option("--json", help="Print data only, as JSON, on standard output.")]
