"""Gathers what a run left behind in the two books, once the deployment is down."""

import contextlib
import time
from pathlib import Path

from cluster.chaos.evidence import Measured, Splits, Tables
from cluster.chaos.scenario import NAME
from engine.books.compactor import Compactor
from engine.books.ledger import Ledger
from engine.books.store import Store
from engine.errors import LedgerCorruptError
from engine.evidence.facts import Facts
from engine.evidence.measure import measure
from engine.experiment.state import WorkflowState
from engine.stats.mismatch import srm_log_e
from search.assess import pair_of
from search.books import Decisions

HORIZON_S = 86_400.0
"""Longer than any run: every answer and every rating has come within it."""
STEPS = 50


def ship(root: Path) -> list[str]:
    """Bring every acknowledged fact into the store; what its check then names."""
    compactor = Compactor(root)
    for _ in range(STEPS):
        if not compactor.step(time.time()):
            break
    with contextlib.closing(Store(root)) as store:
        return [f"{problem.path}: {problem.why}" for problem in store.check()]


def tables_of(root: Path) -> Tables:
    """The whole store."""
    with contextlib.closing(Store(root)) as store:
        return Tables(store.read("exposure"), store.read("trace"), store.read("feedback"))


def ledger_flaw(root: Path) -> str:
    """Why the chain does not hold, or a decision was not lawful; empty when all is well."""
    ledger = Ledger(str(root / "ledger.db"))
    try:
        ledger.check_chain()
        with contextlib.closing(Decisions(root)) as decisions:
            decisions.state()
    except LedgerCorruptError as error:
        return str(error)
    finally:
        ledger.close()
    return ""


def state_of(root: Path) -> WorkflowState:
    """Everything that was decided about the workflow."""
    with contextlib.closing(Decisions(root)) as decisions:
        return decisions.state().workflow(NAME)


def splits_of(root: Path) -> Splits:
    """Who could serve whom, by version."""
    workflow = state_of(root)
    ledger = Ledger(str(root / "ledger.db"))
    try:
        decided_at = {entry.seq: entry.at for entry in ledger.read()}
    finally:
        ledger.close()
    return Splits(
        variants={version: split.variants for version, split in workflow.splits.items()},
        baselines={version: split.baseline for version, split in workflow.splits.items()},
        decided_at=decided_at,
        windows={
            window.id: frozenset(pair_of(workflow, window).shares)
            for window in workflow.windows.values()
        },
    )


def measured_of(root: Path, tables: Tables) -> list[Measured]:
    """What the evidence layer makes of every window of the run."""
    workflow = state_of(root)
    facts = Facts(tables.exposures, tables.traces, tables.feedback)
    found = []
    for window in workflow.windows.values():
        pair = pair_of(workflow, window)
        now = time.time() + 2 * HORIZON_S
        sample = measure(facts, pair, now=now, maturation_s=HORIZON_S)
        found.append(
            Measured(
                window=window.id,
                units=sample.candidate_units + sample.baseline_units,
                failed=sum(failed for _, _, failed in sample.errors),
                mismatch_log_e=srm_log_e(sample.exposed),
            )
        )
    return found
