"""A workspace's two books, opened by commands that only read or that a person decides with."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from engine.errors import NotFoundError
from engine.experiment.state import State, WorkflowState
from engine.experiment.variant import Variant
from search.books import Decisions

SHORTEST = 4


def existing(root: Path) -> Path:
    """The workspace's absolute path.

    Raises:
        NotFoundError: There is no ledger in it.
    """
    if not (root / "ledger.db").is_file():
        raise NotFoundError(
            f"{root}: no workspace; `trimtab up CONFIG -w {root}` or `trimtab demo` makes one, "
            "--workspace names another"
        )
    return root.resolve()


@contextlib.contextmanager
def decisions_of(root: Path) -> Iterator[Decisions]:
    """The workspace's ledger, closed afterwards.

    Raises:
        NotFoundError: There is none.
    """
    decisions = Decisions(existing(root))
    try:
        yield decisions
    finally:
        decisions.close()


def workflow_of(state: State, name: str | None) -> WorkflowState:
    """The named workflow, or the only one.

    Raises:
        NotFoundError: It is not installed, none is, or several are and no name was given.
    """
    if name is not None:
        return state.workflow(name)
    if len(state.workflows) != 1:
        names = ", ".join(sorted(state.workflows)) or "none"
        raise NotFoundError(f"name the workflow; installed: {names}")
    return next(iter(state.workflows.values()))


def variant_named(state: State, name: str) -> tuple[WorkflowState, Variant]:
    """The variant with this hash, or with the only hash that begins so, and its workflow.

    Raises:
        NotFoundError: No variant or several begin so.
    """
    found = [
        (workflow, variant)
        for workflow in state.workflows.values()
        for variant in workflow.variants.values()
        if len(name) >= SHORTEST and variant.hash.startswith(name)
    ]
    if len(found) != 1:
        why = "no variant" if not found else f"{len(found)} variants"
        raise NotFoundError(f"{name!r}: {why}; `trimtab status` and `trimtab ledger` list them")
    return found[0]
