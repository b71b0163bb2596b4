"""The `trimtab` command: its commands, its errors and its exit codes.

Exit codes: 0 done; 1 a check failed; 2 a usage or configuration error; 3 the cluster can't be
reached; 4 not found.
"""

import importlib
import os
import sys
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from engine.errors import ClusterError, ConfigError, NotFoundError, TrimtabError


class Named(NamedTuple):
    """Where a command's function lives, and its line in the list of commands."""

    module: str
    function: str
    summary: str


COMMANDS = {
    "demo": Named(
        "demo", "demo", "Serve, observe, search, promote and explain, on this machine, in minutes."
    ),
    "up": Named(
        "up", "up", "Start Ray and Serve, seat the baseline and serve it until `trimtab down`."
    ),
    "down": Named("up", "down", "End the workspace's cluster; the two books stay."),
    "renew": Named("up", "renew", "Take up a renewed TLS certificate without cutting anyone off."),
    "install": Named(
        "install",
        "install_workflow",
        "Install another version of a workflow without dropping a request.",
    ),
    "send": Named("send", "send", "Let many users ask a workflow over HTTP and rate its answers."),
    "tune": Named(
        "tune",
        "tune",
        "Search an experiment's space on live traffic and nominate what is proved better.",
    ),
    "add": Named("add", "add", "Ask a running experiment to try a candidate."),
    "status": Named("status", "status", "Show what is served, tried and ramped now."),
    "observe": Named("observe", "observe", "Show what is slow, failing, expensive or badly rated."),
    "diagnose": Named(
        "diagnose", "diagnose", "Show where time, tokens and money go, and what to turn about it."
    ),
    "questions": Named("questions", "questions", "Show what requests wait for a person to decide."),
    "decide": Named("questions", "decide", "Decide what a request waits for, and let it go on."),
    "audit": Named(
        "audit",
        "audit",
        "List the answers that wait for a person's label, oldest first, or label one.",
    ),
    "explain": Named("explain", "explain", "Tell each decision in words, with its figures."),
    "report": Named("report", "report", "Write an experiment's report as HTML and Markdown."),
    "verify": Named("verify", "verify", "Compute every verdict again from the two books."),
    "ledger": Named("ledger", "ledger", "Print the ledger's entries."),
    "promote": Named("promote", "promote", "Make a variant the baseline, by a person's decision."),
    "rollback": Named("rollback", "rollback", "Make the former baseline the baseline again."),
    "replay": Named(
        "replay",
        "replay",
        "Replay logged outcomes under several policies and tell what was truly won and lost.",
    ),
    "plan": Named(
        "plan", "plan", "Tell how long an experiment takes on this traffic, before it begins."
    ),
    "doctor": Named("doctor", "doctor", "Check this machine and workspace, and say what to do."),
    "monitoring": Named(
        "monitoring",
        "monitoring",
        "Write dashboards, alert rules and the scrape configuration; "
        "without a folder, list metrics.",
    ),
    "backup": Named("backup", "backup", "Copy the workspace's books beside it, while it works."),
    "restore": Named(
        "backup",
        "restore",
        "Put a backup in the workspace's place; the old workspace is only moved aside.",
    ),
    "config": Named("config", "app", "Print the files' JSON Schemas, or check a file."),
    "bench": Named(
        "bench",
        "bench",
        "Measure, print rows with goals and peers, and exit with 1 when a goal is missed.",
    ),
    "chaos": Named(
        "chaos", "app", "Break a deployment under load on purpose, and hold it to its promises."
    ),
}

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_CLUSTER = 3
EXIT_NOT_FOUND = 4
EXIT_INTERRUPTED = 130


class Deferred(TyperCommand):
    """A command whose module is imported when it is called, so that help stays quick."""

    def __init__(self, name: str, named: Named) -> None:
        super().__init__(name, callback=None, help=named.summary, short_help=named.summary)
        self._named = named

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """Import the command and let it read its arguments."""
        return self.loaded().make_context(*args, **kwargs)

    def loaded(self) -> Any:
        """The command itself."""
        module = importlib.import_module(f"cluster.commands.{self._named.module}")
        found = getattr(module, self._named.function)
        if isinstance(found, typer.Typer):
            return typer.main.get_group(found)
        single = typer.Typer(add_completion=False, rich_markup_mode=None)
        told, examples = _told(found.__doc__ or "")
        single.command(self.name, help=told, epilog=examples)(found)
        return typer.main.get_command(single)


class Commands(TyperGroup):
    """The list of commands, and the one place where errors become exit codes."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Every command, in the order in which a newcomer needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> TyperCommand | None:
        """A command that is not imported yet."""
        named = COMMANDS.get(cmd_name)
        return None if named is None else Deferred(cmd_name, named)

    def invoke(self, ctx: Any) -> Any:
        """Call the command; an error of ours is one line and an exit code."""
        try:
            return super().invoke(ctx)
        except TrimtabError as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(exit_code_of(error)) from error
        except KeyboardInterrupt as error:
            raise typer.Exit(EXIT_INTERRUPTED) from error


def _told(docstring: str) -> tuple[str, str]:
    """A command's help, and its examples on lines of their own."""
    lines = [line.strip() for line in docstring.strip().splitlines()]
    examples = [line for line in lines if line.startswith("Example:")]
    told = "\n".join(line for line in lines if line not in examples)
    return told, "\b\n" + "\n".join(examples)


def exit_code_of(error: TrimtabError) -> int:
    """What a script may know of an error."""
    match error:
        case ConfigError():
            return EXIT_USAGE
        case ClusterError():
            return EXIT_CLUSTER
        case NotFoundError():
            return EXIT_NOT_FOUND
        case _:
            return EXIT_FAILED


app = typer.Typer(
    cls=Commands,
    add_completion=True,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(*, wanted: bool) -> None:
    if not wanted:
        return
    from importlib.metadata import PackageNotFoundError, version

    try:
        typer.echo(f"trimtab {version('trimtab')}")
    except PackageNotFoundError:
        typer.echo("trimtab, not installed as a package")
    raise typer.Exit


@app.callback(epilog="Example: trimtab demo. Each command has --help with an example.")
def root(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=lambda wanted: _version(wanted=wanted),
            is_eager=True,
            help="Print the version.",
        ),
    ] = False,
) -> None:
    """Tune an LLM agent workflow on its own traffic; promote only what is proved better."""


def main() -> None:
    """The console entry point."""
    try:
        app(prog_name="trimtab")
    except BrokenPipeError:
        # The reader of a pipe went away; writing on would only end in a second error at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_FAILED)


if __name__ == "__main__":
    main()
