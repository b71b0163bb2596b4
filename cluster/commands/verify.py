"""`trimtab verify`: every recorded verdict, computed again."""

from dataclasses import asdict

import typer

from cluster.options import DEFAULT, Json, Workspace
from cluster.output import say, show, show_json
from cluster.workspace import existing
from engine.errors import LedgerCorruptError, StoreCorruptError
from search.verify import Verified
from search.verify import verify as verified


def verify(workspace: Workspace = DEFAULT, *, as_json: Json = False) -> None:
    """Compute every verdict again from the two books.

    Exit code 1 when an entry's hash does not hold, or a verdict does not follow from the facts.

    Example: trimtab verify
    """
    root = existing(workspace)
    try:
        result = verified(root)
    except (LedgerCorruptError, StoreCorruptError) as error:
        result = Verified(entries=0, verdicts=0, mismatches=(str(error),))
    if as_json:
        show_json({**asdict(result), "holds": result.holds})
    elif result.holds:
        show(
            f"{result.entries} entries hold; {result.verdicts} verdicts and {result.windows} "
            "windows' levels and means follow from the facts"
        )
    else:
        for mismatch in result.mismatches:
            say(mismatch)
    if not result.holds:
        raise typer.Exit(1)
