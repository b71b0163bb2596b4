from dataclasses import replace
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from cluster.chaos.evidence import Evidence, Splits, Tables
from cluster.chaos.invariants import judge
from cluster.chaos.journal import Journal
from tests.cluster.chaos import planted
from tests.cluster.chaos.sound import sound

MUTATIONS = YAML(typ="safe").load(Path(__file__).with_name("mutations.yaml").read_text())
BUGS = [(id_, bug) for id_, bugs in MUTATIONS.items() for bug in bugs]
NOTHING = Evidence(Journal(), Tables(), Splits({}, {}, {}, {}))


def red(evidence):
    return {one.id for one in judge(evidence) if one.holds is False}


def test_a_sound_run_is_green():
    assert red(sound()) == set()


def test_what_was_held_against_nothing_is_not_green():
    assert [one.id for one in judge(NOTHING)] == list(MUTATIONS)
    assert not any(one.holds for one in judge(NOTHING))


@pytest.mark.parametrize(("invariant", "bug"), BUGS)
def test_a_planted_bug_is_caught_by_its_invariant(invariant, bug):
    evidence = getattr(planted, bug)(sound())

    verdicts = {one.id: one for one in judge(evidence)}

    assert verdicts[invariant].holds is False
    assert verdicts[invariant].broken > 0
    assert verdicts[invariant].examples


def test_every_planted_bug_is_on_the_list():
    planted_here = {
        name
        for name, what in vars(planted).items()
        if callable(what)
        and what.__module__ == planted.__name__
        and what.__code__.co_varnames[:1] == ("evidence",)
        and what.__code__.co_argcount == 1
    }

    assert {bug for _, bug in BUGS} == planted_here


def test_a_trace_may_be_lost_while_the_disk_is_full_and_only_then():
    full = sound()
    lost = full.tables.traces.filter(full.tables.traces["trace_id"] != "t305")
    evidence = replace(full, tables=replace(full.tables, traces=lost))
    empty_disk = [one for one in full.landed if not one.fills_disk]

    units = replace(full.measured[0], failed=full.measured[0].failed + 1)
    scored = replace(evidence, measured=[units])

    assert red(scored) == set()
    assert "I1" in red(replace(scored, landed=empty_disk))


def test_where_no_variant_was_broken_nothing_is_known_of_the_others():
    evidence = sound()
    missed = [one.model_copy(update={"evidence": ""}) for one in evidence.landed]

    verdicts = {one.id: one.holds for one in judge(replace(evidence, landed=missed))}

    assert [id_ for id_, holds in verdicts.items() if not holds] == ["I5"]
    assert verdicts["I5"] is None
