import pytest

from engine.experiment.fold import fold
from engine.experiment.verdict import Verdict
from serve_apps.telemetry import table
from serve_apps.telemetry.decisions import DecisionMeters
from tests.engine.experiment.examples import (
    ANNE,
    BASE,
    BERT,
    NOON,
    closed,
    installed,
    lines,
    nominated,
    opened,
    reallocated,
    started,
    stepped,
)
from tests.serve_apps.telemetry.registry import Registry

FIGURES = {"lift": 0.04, "log_e": 1.5, "harm_log_e": -2.0, "srm_log_e": -0.5, "se": 0.01}
PROVED = Verdict(action="continue", cause="undecided", reason="more to see", figures=FIGURES)


def followed(*decisions, began_at=NOON):
    registry = Registry()
    entries = lines(*decisions)
    DecisionMeters(registry.meters, began_at).saw(entries, fold(entries))
    registry.meters.flush()
    return registry


def share(registry, variant, role):
    return registry.value(table.SHARE, workflow="docs", variant=variant.hash, role=role)


def test_shares_are_those_of_the_split_and_add_up_to_everything():
    registry = followed(installed(), started(), opened(), opened("w2", BERT, share=50_000))

    assert share(registry, ANNE, "trial") == pytest.approx(0.1)
    assert share(registry, BERT, "trial") == pytest.approx(0.05)
    assert share(registry, BASE, "baseline") == pytest.approx(0.85)


def test_what_is_known_of_an_open_window_is_the_newest_of_each_figure():
    registry = followed(
        installed(),
        started(),
        opened(),
        nominated(verdict=PROVED),
        stepped().model_copy(
            update={"verdict": PROVED.model_copy(update={"figures": {"lift": 0.05}})}
        ),
    )

    who = {"workflow": "docs", "variant": ANNE.hash}
    assert registry.value(table.LIFT, **who) == 0.05
    assert registry.value(table.EVIDENCE, **who) == 1.5
    assert registry.value(table.HARM, **who) == -2.0
    assert registry.value(table.MISMATCH, **who) == -0.5


def test_a_reallocation_tells_lifts_and_leaves_out_what_was_not_measured():
    figures = {"w1": {"lift": 0.02, "se": 0.01}, "w2": {"lift": None}}
    registry = followed(
        installed(),
        started(),
        opened(),
        opened("w2", BERT, share=50_000),
        reallocated({"w1": 90_000}, figures=figures),
    )

    assert registry.value(table.LIFT, workflow="docs", variant=ANNE.hash) == 0.02
    assert registry.value(table.LIFT, workflow="docs", variant=BERT.hash) is None


def test_a_closed_window_tells_no_more():
    registry = followed(installed(), started(), opened(), closed(verdict=PROVED))

    assert registry.labels(table.EVIDENCE) == []
    assert registry.labels(table.WINDOWS) == []


def test_verdicts_are_counted_by_action_and_cause():
    harm = Verdict(action="stop", cause="srm", reason="the split is not what it should be")
    registry = followed(installed(), started(), opened(), closed(verdict=harm))

    assert registry.value(table.VERDICTS, workflow="docs", action="stop", cause="srm") == 1


def test_what_was_decided_before_the_start_is_no_news():
    registry = followed(installed(), started(), opened(), closed(), began_at=NOON + 1)

    assert registry.labels(table.VERDICTS) == []


def test_entries_may_come_in_parts():
    registry = Registry()
    entries = lines(installed(), started(), opened(), nominated(verdict=PROVED))
    meters = DecisionMeters(registry.meters, NOON)

    for upto in range(len(entries)):
        meters.saw(entries[upto : upto + 1], fold(entries[: upto + 1]))
    registry.meters.flush()

    assert registry.value(table.WINDOWS, workflow="docs", kind="ramp") == 1
    assert registry.value(table.EVIDENCE, workflow="docs", variant=ANNE.hash) == 1.5


def test_variants_that_could_not_be_built_are_counted_by_workflow():
    registry = Registry()
    meters = DecisionMeters(registry.meters, NOON)

    meters.unseated(["docs/a", "docs/b", "news/a"])
    registry.meters.flush()

    assert registry.value(table.UNSEATED, workflow="docs") == 2
    assert registry.value(table.UNSEATED, workflow="news") == 1
