import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.report import Report, objective
from search.scheduler import VerdictScheduler

KEYS = {
    "units",
    "lift",
    "se",
    "log_e",
    "harm_log_e",
    "latency_ratio",
    "latency_log_se",
    "objective",
    "action",
    "cause",
    "window",
    "candidate",
}


@pytest.mark.parametrize(
    "figures",
    [None, {}, {"lift": None, "se": None}, {"candidate_units": 9, "lift": 0.1, "se": 0.05}],
)
def test_every_report_has_every_key(figures):
    row = Report("continue", "too_early", "abc", "w1-a", figures).row()

    assert row.keys() == KEYS


def test_what_is_unmeasured_is_nan_only_in_what_tune_gets():
    report = Report("continue", "too_early", "abc", "w1-a", {"lift": None, "se": None})

    assert report.figures == {"lift": None, "se": None}
    assert math.isnan(float(report.row()["lift"]))
    assert math.isnan(float(report.row()["objective"]))


@given(lift=st.floats(-0.5, 0.5), se=st.floats(0.001, 1.0))
def test_the_objective_lies_between_the_prior_and_what_was_measured(lift, se):
    shrunk = objective({"lift": lift, "se": se})

    assert shrunk is not None
    assert min(lift, -0.01) - 1e-12 <= shrunk <= max(lift, -0.01) + 1e-12


def test_the_objective_of_a_lift_as_uncertain_as_the_prior_is_half_way():
    assert objective({"lift": 0.05, "se": 0.03}) == pytest.approx(0.02)


@pytest.mark.parametrize("action", ["stop", "promote", "superseded"])
def test_a_closing_verdict_ends_a_trial(action):
    scheduler = VerdictScheduler()

    assert scheduler.on_trial_result(None, None, {"action": action, "lift": 0.3}) == "STOP"


@given(
    figures=st.fixed_dictionaries(
        {key: st.floats() for key in ("lift", "se", "log_e", "harm_log_e", "objective")}
    ),
    action=st.sampled_from(["continue", "hold"]),
)
def test_no_figure_ends_a_trial_without_a_verdict(figures, action):
    scheduler = VerdictScheduler()

    assert scheduler.on_trial_result(None, None, figures | {"action": action}) == "CONTINUE"
