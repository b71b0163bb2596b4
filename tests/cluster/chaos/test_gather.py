import json
import subprocess
import sys
from dataclasses import replace

import pytest

from cluster.chaos.evidence import Evidence
from cluster.chaos.gather import ledger_flaw, measured_of, ship, splits_of, tables_of
from cluster.chaos.invariants import honest, one_baseline
from cluster.chaos.journal import Journal
from cluster.chaos.reader import read_once
from cluster.chaos.scenario import NAME, candidate, roll_out, workflow
from cluster.session import install
from engine.books.store import Store
from engine.experiment.split import assign, epoch_of
from engine.experiment.variant import variant_of
from search.books import Decisions
from tests.engine.books.facts import spool_in

UNITS = 300
FAILING = 7
NOW = 1_700_049_600.0


def exposed(split, number):
    epoch = epoch_of(split, NOW)
    got = assign(f"u{number}", split, epoch)
    return {
        "trace_id": f"t{number}",
        "at": NOW + number,
        "workflow": NAME,
        "unit_id": f"u{number}",
        "conversation_id": f"u{number}",
        "epoch": epoch,
        "version": split.version,
        "bucket": got.bucket,
        "variant": got.variant,
        "served": got.variant,
        "window": got.window,
        "lapsed": "",
        "forced": False,
    }


def traced(number, variant):
    return {
        "trace_id": f"t{number}",
        "at": NOW + number,
        "workflow": NAME,
        "variant": variant,
        "duration_s": 0.1,
        "status": "error" if number % FAILING == 0 else "ok",
    }


@pytest.fixture
def lived(tmp_path):
    """A workspace after a short run: some requests failed, one left no trace at all."""
    install(tmp_path, workflow())
    roll_out(tmp_path, 1)
    decisions = Decisions(tmp_path)
    split = decisions.state().workflow(NAME).split
    decisions.close()
    spool = spool_in(tmp_path)
    for number in range(UNITS):
        row = exposed(split, number)
        spool.write([("exposure", row)])
        if number != 1:
            spool.write([("trace", traced(number, row["variant"]))])
    spool.close()
    assert ship(tmp_path) == []
    return tmp_path


def evidence_of(root):
    tables = tables_of(root)
    return Evidence(Journal(), tables, splits_of(root), measured=measured_of(root, tables))


def test_what_the_evidence_layer_scores_is_what_failed(lived):
    (window,) = measured_of(lived, tables_of(lived))

    assert window.units == UNITS
    assert window.failed == len(range(0, UNITS, FAILING)) + 1


def test_a_gathered_run_is_held_against_the_promises(lived):
    evidence = evidence_of(lived)
    (window,) = evidence.measured

    assert honest(evidence).holds
    assert one_baseline(evidence).holds
    assert not honest(replace(evidence, measured=[replace(window, failed=0)])).holds


def test_a_rollout_takes_the_place_of_the_one_before(lived):
    roll_out(lived, 2)

    decisions = Decisions(lived)
    split = decisions.state().workflow(NAME).split
    decisions.close()
    assert split.variants == {variant_of(workflow()).hash, candidate(2).hash}
    assert ledger_flaw(lived) == ""


def test_a_person_can_look_at_a_run_with_the_usual_commands(lived):
    command = [sys.executable, "-m", "cluster.main", "status", "-w", str(lived), "--json"]

    told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    assert [one["kind"] for one in told["workflows"][0]["windows"]] == ["trial"]


def test_a_reader_tells_what_it_saw_and_what_it_could_not_read(lived):
    whole = read_once(lived)
    (file, *_) = sorted((lived / "parquet").rglob("*.parquet"))
    file.write_bytes(file.read_bytes()[:-5])
    torn = read_once(lived)

    assert whole.rows["exposure"] == Store(lived).read("trace").height + 1 == UNITS
    assert whole.error == ""
    assert file.name in torn.error
