"""A backup that a person takes and puts back by command."""

import typer
from typer.testing import CliRunner

from cluster.commands.backup import backup, restore
from tests.engine.books.examples import ids, ship, write


def told(command, *arguments):
    app = typer.Typer()
    app.command()(command)
    done = CliRunner().invoke(app, [*map(str, arguments)])
    assert done.exit_code == 0, done.output
    return done.output


def test_what_was_copied_is_put_back(tmp_path):
    root = tmp_path / "work"
    write(root, "a")
    ship(root)

    copy = "".join(told(backup, "--workspace", root).split())
    write(root, "b", writer="v")
    said = told(restore, copy, "--workspace", root)

    assert ids(root) == ["a"]
    assert "before" in said
