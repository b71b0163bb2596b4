"""`trimtab config`: schemas for editors, and a check before anything is deployed."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from cluster.options import Json
from cluster.output import show, show_json
from engine.books.durable import write_whole
from engine.config.experiment import load_experiment, load_workflow
from engine.config.schema import json_schemas
from engine.config.source import read
from engine.errors import ConfigError

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Print the files' JSON Schemas, or check a file.",
    epilog="Example: trimtab config check configs/demo/experiment.yaml",
)


@app.command(epilog="Example: trimtab config schema workflow --out workflow.schema.json")
def schema(
    kind: Annotated[
        str | None, typer.Argument(help="workflow or experiment; both without it.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="A file instead of standard output.")] = None,
) -> None:
    """Print the JSON Schema of a kind of file; it is data, so there is no --json."""
    schemas = json_schemas()
    if kind is not None and kind not in schemas:
        raise ConfigError(f"there is no schema {kind!r}; there are: {', '.join(schemas)}")
    chosen: dict[str, Any] = schemas if kind is None else schemas[kind]
    text = json.dumps(chosen, indent=2) + "\n"
    if out is None:
        typer.echo(text, nl=False)
    else:
        write_whole(out, text.encode())


@app.command(epilog="Example: trimtab config check configs/demo/experiment.yaml")
def check(
    file: Annotated[Path, typer.Argument(help="A workflow's or an experiment's YAML file.")],
    *,
    as_json: Json = False,
) -> None:
    """Check a file, and the workflow that an experiment names; exit code 2 on any problem."""
    kind = _kind(file)
    try:
        if kind == "experiment":
            load_experiment(file)
        else:
            load_workflow(file)
    except ConfigError as error:
        if not as_json:
            raise
        problems = str(error).splitlines()
        show_json({"file": str(file), "kind": kind, "ok": False, "problems": problems})
        raise typer.Exit(2) from error
    if as_json:
        show_json({"file": str(file), "kind": kind, "ok": True, "problems": []})
    else:
        show(f"{file}: a correct {kind}")


def _kind(file: Path) -> str:
    """An experiment is what has a key of that name."""
    data = read(file).tree.data
    return "experiment" if isinstance(data, dict) and "experiment" in data else "workflow"
