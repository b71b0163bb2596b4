import shutil
import sqlite3
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.books.catalogue import Catalogue
from engine.books.parquet import digest_of, encode
from engine.books.store import Store
from engine.errors import LedgerCorruptError, StoreCorruptError
from engine.experiment.entries import RolledBack, WindowClosed
from search.assessed import assess_holdback, assess_step
from search.books import Decisions, FactsFollower
from search.selector import ramp_decision
from search.verify import verify
from tests.search.stage import BEGIN, Stage

TRIGGERS = "SELECT name FROM sqlite_master WHERE type = 'trigger'"


@pytest.fixture
def decided(stage: Stage) -> Stage:
    """A workspace with a candidate stopped for harm and another one nominated."""
    return decide(stage)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, left by the processes that made it."""
    stage = decide(Stage(tmp_path_factory.mktemp("finished")))
    stage.serve(5)
    stage.close()
    return stage.root


@pytest.fixture
def root(finished: Path, tmp_path: Path) -> Path:
    """A copy of a finished workspace, for a test to alter."""
    return Path(shutil.copytree(finished, tmp_path / "copy"))


def decide(stage: Stage) -> Stage:
    stage.quality = {stage.baseline: 0.95}
    list(stage.life("a").reports())
    stage.quality = {stage.baseline: 0.2}
    list(stage.life("b", **{"rag.top_k": 9}).reports())
    return stage


def ramp_to_the_end(stage: Stage) -> None:
    """Play the selector until the candidate is promoted."""
    facts = FactsFollower(stage.root)
    while (window := stage.workflow.ramp) is not None:
        stage.serve(2)
        verdict = assess_step(
            stage.workflow,
            stage.experiment,
            window,
            facts.follow(),
            upto=facts.upto,
            now=stage.now,
        )
        decision = ramp_decision(stage.workflow, stage.experiment, window, verdict)
        if decision is not None:
            stage.append(decision)


def test_recorded_verdicts_follow_from_the_books_whatever_came_later(root):
    found = verify(root)

    assert found.mismatches == ()
    assert found.holds
    assert (found.entries, found.verdicts) == (6, 2)


def test_every_step_of_a_ramp_and_its_promotion_follow_from_the_books(decided):
    ramp_to_the_end(decided)

    found = verify(decided.root)

    kinds = [entry.kind for entry in decided.decisions.ledger.read()]
    assert (kinds.count("RampStepped"), kinds.count("Promoted")) == (2, 1)
    assert found.mismatches == ()
    assert found.verdicts == 5


def test_verify_fails_when_one_stored_outcome_is_altered(root):
    alter_one_outcome(root, reseal=False)

    with pytest.raises(StoreCorruptError):
        verify(root)


def test_verify_fails_even_when_the_altered_file_is_catalogued_anew(root):
    alter_one_outcome(root, reseal=True)

    found = verify(root)

    assert not found.holds
    assert all("digest" in why for why in found.mismatches)


def test_verify_fails_when_one_byte_of_the_ledger_is_altered(root):
    with sqlite3.connect(root / "ledger.db") as ledger:
        for (trigger,) in ledger.execute(TRIGGERS).fetchall():
            ledger.execute(f"DROP TRIGGER {trigger}")
        ledger.execute("UPDATE ledger SET body = replace(body, 'harm', 'hark') WHERE seq = 4")

    with pytest.raises(LedgerCorruptError):
        verify(root)


def test_a_verdict_that_was_made_up_is_found(root):
    """An entry may be well-formed and chained, and still not follow from the facts."""
    decisions = Decisions(root)
    ramp = decisions.state().workflow("docs").ramp
    honest = decisions.ledger.read()[-1].body["verdict"]
    lie = honest | {"action": "rollback", "cause": "harm", "reason": "worse, honestly"}
    made_up = WindowClosed.model_validate({"window": ramp.id, "verdict": lie})
    decisions.append(lambda _: made_up, actor="test", clock=lambda: BEGIN + 100)
    decisions.close()

    found = verify(root)

    assert len(found.mismatches) == 1
    assert "WindowClosed" in found.mismatches[0]


def test_a_holdbacks_rollback_follows_from_the_books(decided):
    ramp_to_the_end(decided)
    after, before = decided.workflow.baseline, decided.workflow.previous
    decided.quality = {after: 0.1, before: 0.9}
    decided.serve(25)
    facts = FactsFollower(decided.root)
    verdict = assess_holdback(
        decided.workflow,
        decided.experiment,
        decided.workflow.holdback,
        facts.follow(),
        upto=facts.upto,
        now=decided.now,
    )
    decided.append(
        RolledBack(
            workflow="docs", before=after, after=before, reason=verdict.reason, verdict=verdict
        )
    )

    found = verify(decided.root)

    assert (verdict.action, verdict.cause) == ("rollback", "harm")
    assert found.mismatches == ()
    assert found.verdicts == 6


def alter_one_outcome(root: Path, *, reseal: bool) -> None:
    """Turn one candidate unit's score round; resealed, the catalogue vouches for the file."""
    exposures = Store(root).read("exposure")
    trace_id = exposures.filter(pl.col("window") != "")["trace_id"][0]
    catalogue = Catalogue(root / "catalogue.db")
    for file in catalogue.live("feedback"):
        path = root / file.path
        table = pq.read_table(path)
        scores = table["score"].to_pylist()
        traces = table["trace_id"].to_pylist()
        if trace_id not in traces:
            continue
        scores[traces.index(trace_id)] = 1.0 - scores[traces.index(trace_id)]
        place = table.column_names.index("score")
        data = encode(table.set_column(place, table.field(place), pa.array(scores, pa.float64())))
        path.write_bytes(data)
        if reseal:
            with sqlite3.connect(root / "catalogue.db") as database:
                sealed = (digest_of(data), file.id)
                database.execute("UPDATE files SET digest = ? WHERE id = ?", sealed)
    catalogue.close()
