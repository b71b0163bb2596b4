import pytest

from cluster.chaos.evidence import verdict
from cluster.chaos.journal import Journal, Ping, Try
from cluster.chaos.plan import Planned
from cluster.chaos.report import Report
from tests.cluster.chaos.sound import landed

GREEN = [verdict("I1", "nothing is lost", 10, [])]
PLAN = (Planned(at_s=10.0, action="kills.slot"),)
SLOT = landed("kills.slot", 10.0, 12.0)


def exchange(at, status=200):
    return Try(began_at=at, ended_at=at + 0.1, status=status)


def asked(failed=(), lost=(), count=400):
    """One request every 0.1 s; those that failed were answered at their second try."""
    pings = []
    for number in range(count):
        at = number / 10
        if number in lost:
            tries = (exchange(at, 503), exchange(at + 0.5, 503))
        elif number in failed:
            tries = (exchange(at, 503), exchange(at + 0.5))
        else:
            tries = (exchange(at),)
        pings.append(Ping(id=str(number), tries=tries))
    return Journal(pings=tuple(pings))


def report(journal, faults=(SLOT,), verdicts=GREEN, plan=PLAN):
    return Report.of(
        journal,
        faults,
        verdicts,
        seed=1,
        seconds=40.0,
        faults=(1,),
        rate=10.0,
        profile="plain",
        plan=plan,
        up_s=1.0,
    )


def test_a_run_in_which_all_held_is_green():
    told = report(asked(failed={105}))

    assert told.flaws == []
    assert told.availability == 399 / 400
    assert told.availability_with_retry == 1.0
    assert told.transient_share == 0.0


def test_a_run_that_landed_no_fault_is_red():
    missed = SLOT.model_copy(update={"evidence": ""})

    told = report(asked(), faults=(missed,))

    assert told.flaws == [
        "kills.slot did not land",
        "no fault landed at all, so nothing was shown",
    ]


def test_a_fault_that_was_planned_and_never_came_is_red():
    assert report(asked(), plan=(*PLAN, Planned(at_s=30.0, action="kills.gateway"))).missed == [
        "kills.gateway"
    ]


def test_a_broken_invariant_is_red():
    assert report(asked(), verdicts=[verdict("I1", "nothing is lost", 10, ["t9"])]).flaws == [
        "I1 is broken: nothing is lost"
    ]


def test_what_an_action_found_wrong_is_red():
    wrong = SLOT.model_copy(update={"wrong": "nothing took its place"})

    assert report(asked(), faults=(wrong,)).flaws == ["kills.slot: nothing took its place"]


def test_too_many_requests_lost_in_spite_of_a_retry_are_red():
    told = report(asked(lost={101, 102, 103}))

    assert told.availability_with_retry == 397 / 400
    assert [flaw.partition(":")[0] for flaw in told.flaws] == ["answered, with one retry"]


def test_failures_far_from_any_fault_are_the_models_transient_ones():
    told = report(asked(failed={300}))
    (recovery,) = told.recoveries

    assert told.transient_share == pytest.approx(1 / told.transient_requests)
    assert recovery.seconds == 0.0
    assert [flaw.partition(":")[0] for flaw in told.flaws] == ["failed by 1.8 % transient errors"]


def test_a_recovery_lasts_until_the_last_failure_before_the_next_fault():
    faults = (SLOT, landed("kills.gateway", 20.0, 21.0))

    first, second = report(asked(failed={130, 205}, lost={140}), faults=faults).recoveries

    assert (first.seconds, first.failed, first.lost) == (pytest.approx(2.1), 2, 1)
    assert (second.seconds, second.failed, second.lost) == (0.0, 1, 0)


def test_who_recovers_too_late_is_red_unless_a_person_had_to_help():
    journal = asked(failed=set(range(121, 281)))
    helped = SLOT.model_copy(update={"fault": 5})

    by_itself = [row.passed for row in report(journal).rows() if row.id == "recovery"]
    by_hand = [row.passed for row in report(journal, faults=(helped,)).rows()]

    assert by_itself == [False]
    assert by_hand.count(False) == by_hand.count(True) == 1


def test_nobody_is_answered_by_a_dead_cluster_and_that_is_counted_but_not_held_against_it():
    dead = landed("kills.head", 10.0, 20.0, fault=5)

    told = report(asked(lost=set(range(100, 200))), faults=(dead,), plan=())

    assert told.counts_with_retry["5xx"] == {"503": 100}
    assert told.availability_with_retry == 1.0


def test_a_report_survives_being_written_down():
    told = report(asked(lost={101}))

    assert Report.model_validate_json(told.model_dump_json()) == told
