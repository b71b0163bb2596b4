"""Laws of the fold: replayable, one-way, and deaf to what is not lawful."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import LedgerCorruptError
from engine.experiment.entries import decision_of
from engine.experiment.fold import after, fold
from engine.experiment.split import BUCKETS, Holdout
from engine.experiment.state import State
from tests.engine.experiment.examples import (
    ANNE,
    BASE,
    BEGUN,
    BERT,
    KEPT,
    NOBODY,
    NOON,
    RAMPED,
    TRIED,
    added,
    by_hand,
    closed,
    ended,
    holdback_closed,
    installed,
    ledgers,
    lines,
    met,
    nominated,
    opened,
    promoted,
    rolled_back,
    started,
    stepped,
    then,
    told,
)

few = settings(max_examples=40, deadline=None)


@few
@given(ledgers(), st.integers(0, 12))
def test_folding_two_parts_equals_folding_the_whole(decisions, cut):
    entries = lines(*decisions)

    continued = fold(entries[cut:], fold(entries[:cut]))

    assert continued == fold(entries)
    assert continued.seq == len(entries)


@few
@given(ledgers())
def test_a_state_survives_being_written_down(decisions):
    state = told(*decisions)

    assert State.model_validate_json(state.model_dump_json()) == state


@few
@given(ledgers())
def test_lanes_never_overlap_and_always_leave_the_baseline_something(decisions):
    for split in told(*decisions).workflow("docs").splits.values():
        ends = sorted((lane.start, lane.start + lane.width) for lane in split.lanes)

        assert all(0 < lane.share <= lane.width for lane in split.lanes)
        assert all(end <= start for (_, end), (start, _) in pairwise(ends))
        assert not ends or (ends[0][0] >= 0 and ends[-1][1] <= BUCKETS)
        assert sum(end - start for start, end in ends) < BUCKETS
        assert split.baseline_share > 0


@few
@given(ledgers())
def test_the_newest_split_is_made_of_the_open_windows(decisions):
    workflow = told(*decisions).workflow("docs")

    lanes = {lane.window: (lane.variant, lane.share) for lane in workflow.split.lanes}

    assert lanes == {one.id: (one.candidate, one.share) for one in workflow.open_windows}
    assert workflow.split.baseline == workflow.baseline
    assert {one.baseline for one in workflow.open_windows} <= {workflow.baseline}
    assert {lane.variant for lane in workflow.split.lanes} <= workflow.variants.keys()


@few
@given(ledgers())
def test_a_ramp_is_alone_and_a_closed_window_says_why(decisions):
    workflow = told(*decisions).workflow("docs")

    kinds = [one.kind for one in workflow.open_windows]
    shut = [one for one in workflow.windows.values() if not one.is_open]

    assert kinds == ["ramp"] or "ramp" not in kinds
    assert kinds.count("holdback") <= 1
    assert all(one.verdict and one.closed_at == NOON and one.closed_seq for one in shut)


@few
@given(ledgers())
def test_an_older_split_stays_what_it_was(decisions):
    entries, seen = lines(*decisions), {}
    state = State()
    for entry in entries:
        state = fold([entry], state)
        if "docs" in state.workflows:
            newest = state.workflow("docs").split
            seen.setdefault(newest.version, newest)

    assert state.workflow("docs").splits == seen


def test_a_new_workflow_gives_its_baseline_everything():
    state = told(installed())

    workflow = state.workflow("docs")

    assert set(met(workflow.split)) == {BASE.hash}
    assert (workflow.previous, workflow.open_windows) == (None, ())


def test_installing_another_baseline_remembers_the_one_before():
    state = told(installed(), installed(baseline=ANNE))

    workflow = state.workflow("docs")

    assert (workflow.baseline, workflow.previous) == (ANNE.hash, BASE.hash)
    assert set(met(workflow.split)) == {ANNE.hash}
    assert workflow.variants.keys() == {BASE.hash, ANNE.hash}


def test_installing_the_same_baseline_again_keeps_what_a_rollback_returns_to():
    state = told(installed(), installed(baseline=ANNE), installed(baseline=ANNE))

    assert state.workflow("docs").previous == BASE.hash


def test_a_window_gets_its_share_of_the_units():
    split = told(*BEGUN, opened(share=300_000)).workflow("docs").split

    units = met(split, 20_000)

    assert abs(units.count(ANNE.hash) / 20_000 - 0.3) < 0.01


def test_any_opened_or_closed_window_draws_the_layout_anew():
    state = told(*BEGUN, opened(), opened("w2", BERT), closed("w1"))

    layouts = [split.layout for split in state.workflow("docs").splits.values()]

    assert layouts == [1, 3, 4, 5]


def test_workflows_do_not_disturb_each_other():
    others = (installed("mail"), started("post", "mail"))
    mail = opened("m1", experiment="post", workflow="mail")

    state = told(*BEGUN, *others, mail, opened(), closed("m1"))

    assert [one.id for one in state.workflow("docs").open_windows] == ["w1"]
    assert state.workflow("mail").open_windows == ()
    assert state.workflow("docs").split.version == 6
    assert state.workflow("mail").split.version == 7


def test_an_experiment_that_ended_may_start_again_with_a_fresh_budget():
    state = told(*TRIED, closed(), ended(), started())

    experiment = state.experiments["exp"]

    assert (experiment.ended, experiment.windows, experiment.promoted) == (None, (), ())


def test_an_ended_experiment_says_why():
    assert told(*TRIED, ended()).experiments["exp"].ended == "all trials are done"


def test_launched_windows_are_what_the_alpha_budget_spent():
    state = told(*BEGUN, opened(), opened("w2", BERT), closed("w1"))

    assert state.experiments["exp"].windows == ("w1", "w2")


def test_what_persons_asked_for_is_kept_in_its_order():
    second = added(changes={"llm.temperature": 0.4})

    state = told(*BEGUN, added(), second)

    assert state.experiments["exp"].added == ({"llm.temperature": 0.3}, {"llm.temperature": 0.4})


def test_an_experiment_that_starts_again_was_asked_for_nothing_yet():
    assert told(*BEGUN, added(), ended(), started()).experiments["exp"].added == ()


HELD = installed().model_copy(update={"workflow_config": {"holdout": 0.05}})


def test_what_is_held_out_survives_promotions_and_rollbacks():
    rest = (*RAMPED[1:], promoted(), rolled_back())

    splits = told(HELD, *rest).workflow("docs").splits.values()

    assert {split.holdout for split in splits} == {Holdout(variant=BASE.hash, share=50_000)}


def test_another_installation_begins_the_holdout_anew():
    again = HELD.model_copy(update={"baseline": ANNE})

    assert told(HELD, again).workflow("docs").split.holdout.variant == ANNE.hash
    assert told(HELD, installed()).workflow("docs").split.holdout is None


def test_a_resumed_trial_goes_on_with_its_evidence():
    state = told(*TRIED, closed(), opened("w2", continues=("w1",)))

    workflow = state.workflow("docs")

    assert [one.id for one in workflow.chain(state.window("w2"))] == ["w1", "w2"]


MAIL = (installed("mail"), started("post", "mail"))
TWO = (*TRIED, opened("w2", BERT))
REFUSED = {
    "a workflow that is not there": [
        (BEGUN, opened(workflow="mail"), "workflow mail is not installed"),
        (BEGUN, by_hand(workflow="mail"), "workflow mail is not installed"),
        (BEGUN, rolled_back(workflow="mail"), "workflow mail is not installed"),
        (BEGUN, holdback_closed(workflow="mail"), "workflow mail is not installed"),
        (TRIED, nominated(workflow="mail"), "workflow mail is not installed"),
        (BEGUN, started("post", "mail"), "workflow mail is not installed"),
    ],
    "an experiment that is not going on": [
        (BEGUN, started(), "goes on already"),
        (BEGUN, ended("post"), "post is not going on"),
        ((*BEGUN, ended()), added(), "exp is not going on"),
        ((*BEGUN, added()), added(), "added already"),
        ((*BEGUN, ended()), ended(), "exp is not going on"),
        ((*BEGUN, ended()), opened(), "exp is not going on"),
        (BEGUN, opened(experiment="post"), "no experiment post"),
        ((*BEGUN, *MAIL), opened(experiment="post"), "no experiment post was started on docs"),
        (TRIED, nominated(experiment="post"), "no experiment post"),
        (RAMPED, promoted(experiment="post"), "no experiment post"),
    ],
    "a window that has no place": [
        (TRIED, installed(), "has open windows"),
        (TRIED, opened(candidate=BERT), "window w1 exists already"),
        ((*TRIED, closed()), opened(candidate=BERT), "window w1 exists already"),
        (
            (*TRIED, *MAIL),
            opened(experiment="post", workflow="mail"),
            "window w1 exists already",
        ),
        (BEGUN, opened(baseline=NOBODY), "baseline is another one"),
        (BEGUN, opened(candidate=BASE), "candidate is the baseline"),
        (RAMPED, opened("w2", BERT), "being ramped"),
        (BEGUN, opened(share=0), "does not fit its lane"),
        (BEGUN, opened(share=-1), "does not fit its lane"),
        (BEGUN, opened(share=2, lane=1), "does not fit its lane"),
        (BEGUN, opened(lane=BUCKETS), "leave the baseline nothing"),
        (TRIED, opened("w2", BERT, 900_000), "leave the baseline nothing"),
        (KEPT, opened("w2", BERT, 900_000, baseline=ANNE.hash), "leave the baseline nothing"),
    ],
    "evidence for another question": [
        (BEGUN, opened(continues=("w0",)), "w0 is no closed window"),
        (TRIED, opened("w2", continues=("w1",)), "w1 is no closed window"),
        ((*TRIED, closed()), opened("w2", BERT, continues=("w1",)), "w1 is no closed window"),
        ((*TRIED, closed()), opened("w2", alpha=0.02, continues=("w1",)), "same pair, level"),
        ((*TRIED, closed()), opened("w2", f0=0.5, continues=("w1",)), "same pair, level"),
        (
            (*TRIED, closed(), by_hand()),
            opened("w2", BASE, baseline=ANNE.hash, continues=("w1",)),
            "w1 is no closed window",
        ),
        (TWO, nominated(continues=("w2",)), "w2 is no closed window"),
        (TRIED, nominated(continues=("w0",)), "w0 is no closed window"),
        (TRIED, nominated(alpha=0.02), "same pair, level"),
        (TRIED, nominated(f0=0.5), "same pair, level"),
    ],
    "a window that is not open": [
        (BEGUN, closed(), "was never opened"),
        ((*TRIED, closed()), closed(), "closed already"),
        (BEGUN, stepped(), "was never opened"),
        ((*RAMPED, closed("r1")), stepped(), "closed already"),
    ],
    "a nomination": [
        (TRIED, nominated(BERT), "candidate is unknown"),
        (TRIED, nominated(BASE), "candidate is the baseline"),
        (RAMPED, nominated(window="r2"), "being ramped"),
        (TRIED, nominated(baseline=NOBODY), "baseline is another one"),
        (TRIED, nominated(window="w1"), "window w1 exists already"),
        (TRIED, nominated(share=0), "does not fit its lane"),
        (TRIED, nominated(share=900_001), "does not fit its lane"),
        (TRIED, nominated(lane=BUCKETS), "leave the baseline nothing"),
    ],
    "a step": [
        (TRIED, stepped(window="w1"), "only a ramp"),
        (RAMPED, stepped(900_000), "widens within its lane"),
        (RAMPED, stepped(899_999), "widens within its lane"),
        ((*TRIED, nominated()), stepped(900_001), "widens within its lane"),
    ],
    "a promotion": [
        (RAMPED, promoted(before=ANNE), "baseline is another one"),
        (RAMPED, promoted(after=BERT), "promoted variant is unknown"),
        (TRIED, by_hand(BASE), "is the baseline already"),
        (RAMPED, promoted(holdback=-1), "holdback leaves the baseline nothing"),
        (RAMPED, promoted(holdback=BUCKETS), "holdback leaves the baseline nothing"),
        (RAMPED, promoted(holdback=100_001), "reaches into the ramp"),
        (RAMPED, promoted(window="r2"), "r2 is not the open ramp"),
        (TRIED, promoted(window="w1"), "w1 is not the open ramp"),
        ((*TWO, nominated()), promoted(BERT), "another variant's"),
    ],
    "a way back": [
        (KEPT, rolled_back(before=BERT), "baseline is another one"),
        (KEPT, rolled_back(after=BERT), "return to is unknown"),
        (KEPT, rolled_back(after=ANNE), "is the baseline already"),
        (RAMPED, holdback_closed(), "no holdback"),
        ((*KEPT, holdback_closed()), holdback_closed(), "no holdback"),
    ],
}
CASES = [
    pytest.param(told_before, decision, why, id=f"{law}-{number}")
    for law, cases in REFUSED.items()
    for number, (told_before, decision, why) in enumerate(cases)
]


@pytest.mark.parametrize(("before", "decision", "why"), CASES)
def test_what_is_not_lawful_is_refused_and_changes_nothing(before, decision, why):
    state = told(*before)
    written = state.model_dump_json()

    with pytest.raises(LedgerCorruptError, match=why) as refused:
        then(state, decision)

    assert refused.value.seq == len(before) + 1
    assert state.model_dump_json() == written
    assert told(*before) == state


@few
@given(ledgers(), st.integers(-2, 20).filter(lambda gap: gap != 1))
def test_an_entry_out_of_turn_is_refused(decisions, gap):
    state = told(*decisions)

    with pytest.raises(LedgerCorruptError, match=f"follows entry {state.seq}"):
        after(state, installed("mail"), seq=state.seq + gap, at=NOON)


@few
@given(ledgers())
def test_no_lawful_decision_changes_the_state_that_it_was_taken_in(decisions):
    states, written = [State()], []
    for entry in lines(*decisions):
        written.append(states[-1].model_dump_json())
        states.append(after(states[-1], decision_of(entry), seq=entry.seq, at=entry.at))

    assert [state.model_dump_json() for state in states[:-1]] == written


def test_an_unlawful_line_in_the_middle_stops_the_replay_there():
    entries = lines(*BEGUN, closed("w9"), ended())

    with pytest.raises(LedgerCorruptError, match="entry 3"):
        fold(entries)


def test_a_variant_stays_a_setting_of_the_file_that_it_was_made_of():
    first = installed().model_copy(update={"workflow_config": {"a": 1}})
    second = installed(baseline=BERT).model_copy(update={"workflow_config": {"b": 2}})

    known = told(first, second).workflow("docs")

    assert (known.baseline, known.previous) == (BERT.hash, BASE.hash)
    assert known.config == known.config_of(BERT.hash) == {"b": 2}
    assert known.config_of(BASE.hash) == {"a": 1}
