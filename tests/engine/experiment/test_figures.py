"""Laws of the figures: what is asked is there, and what is unmeasured is None and never zero."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.experiment.decide import decide
from engine.experiment.figures import figures_of
from engine.experiment.rules import MetricRule, SegmentRule
from engine.stats.betting import log_e, lower_bound
from engine.stats.moments import Moments
from engine.stats.ratio import Stratum
from tests.engine.experiment.samples import EMPTY, RULES, rules, sample, tally, thumbs

EVERYTHING = {
    "latency_p95": 1.2,
    "timeout_margin": 0.02,
    "cost_ratio": 1.2,
    "metrics": (MetricRule(name="grounded", margin=0.02),),
    "segments": SegmentRule(names=("fact", "sum"), margin=0.05, min_units=50, too_few="hold"),
}
GOOD = tally(thumbs(450, 50), thumbs(400, 100))


def measured(**changes):
    whole = vars(sample(thumbs(800, 200), thumbs(500, 500)))
    return type(EMPTY)(**(whole | changes))


def test_what_nobody_measured_is_none_and_holds():
    found = figures_of(EMPTY, rules(**EVERYTHING))

    names = ("latency_p95_log_e", "no_timeout_log_e", "cost_log_e", "cost_ratio")
    more = ("metrics.grounded.log_e", "metrics.grounded.lift", "segments.fact.log_e")
    last = ("segments.sum.lift", "segments.sum.harm_log_e", "completed_log_e", "scored_log_e")
    assert {name: found[name] for name in (*names, *more, *last)} == dict.fromkeys(
        (*names, *more, *last)
    )
    assert found["segments.fact.units"] == 0
    assert decide(found, rules(**EVERYTHING)).cause == "too_early"


@pytest.mark.parametrize("name", EVERYTHING)
def test_a_better_candidate_is_held_by_each_declared_guardrail_without_figures(name):
    asked = rules(**{name: EVERYTHING[name]})

    assert decide(figures_of(measured(), asked), asked).action == "hold"


def test_a_candidate_that_proves_everything_is_promoted():
    moments = Stratum(Moments(1_000, 1.0, 100.0), Moments(1_000, 1.0, 100.0))
    proof = measured(
        completed=(((1_000, 1_000), (0.5, 0.5)),),
        scored=(((1_000, 1_000), (0.5, 0.5)),),
        no_timeout=(tally(thumbs(1_000, 0), thumbs(1_000, 0)),),
        slow=((10, 1_000),),
        slow_s=2.0,
        cost=(moments,),
        metrics={"grounded": (GOOD,)},
        segments={"fact": (GOOD,), "sum": (GOOD,)},
        centres={"grounded": 0.8},
    )
    asked = rules(**EVERYTHING)

    verdict = decide(figures_of(proof, asked), asked)

    assert (verdict.action, verdict.cause) == ("promote", "evidence")
    assert verdict.figures["latency_p95_limit_s"] == 2.0
    assert verdict.figures["cost_ratio"] == pytest.approx(1.0)
    assert verdict.figures["metrics.grounded.lift"] == pytest.approx(0.1)


def test_a_segment_with_too_few_units_is_unmeasured_however_good_it_looks():
    few = tally(thumbs(49, 0), thumbs(0, 400))
    found = figures_of(measured(segments={"fact": (GOOD,), "sum": (few,)}), rules(**EVERYTHING))

    assert found["segments.sum.log_e"] is None
    assert found["segments.sum.units"] == 49
    assert found["segments.fact.log_e"] is not None


def test_segments_with_too_few_units_can_stand_together():
    few = tally(thumbs(30, 0), thumbs(20, 10))
    pooling = EVERYTHING["segments"].model_copy(update={"too_few": "pool"})
    both = measured(segments={"fact": (few,), "sum": (few,)})

    found = figures_of(both, rules(segments=pooling))

    assert found["segments.pooled.units"] == 60
    assert found["segments.pooled.log_e"] == pytest.approx(log_e([few + few], f=RULES.f0, m=-0.05))


def test_the_slowest_can_be_held_against_todays_baseline():
    quick = tally(thumbs(990, 10), thumbs(900, 100))
    paired = measured(slow=((990, 1_000),), slow_s=2.0, quick=(quick,))

    alone = figures_of(paired, rules(latency_p95=1.2))["latency_p95_log_e"]
    beside = figures_of(paired, rules(latency_p95=1.2, paired_p95=True))["latency_p95_log_e"]

    assert alone < 0.0 < beside
    assert beside == pytest.approx(log_e([quick], f=0.95))


def test_rated_units_alone_give_the_same_evidence_and_another_lift():
    gaps = measured(quality=(tally(thumbs(700, 100, 200), thumbs(500, 300, 200)),))

    itt = figures_of(gaps, RULES)
    complete = figures_of(gaps, rules(missing="complete-case"))

    assert itt["log_e"] == complete["log_e"]
    assert complete["lift"] == pytest.approx(0.25)
    assert itt["lift"] == pytest.approx(0.2)


def test_the_worst_case_is_asked_once_scores_are_missing_unevenly():
    even = measured(quality=(tally(thumbs(700, 100, 200), thumbs(500, 300, 200)),))
    uneven = measured(quality=(tally(thumbs(800, 100, 100), thumbs(300, 200, 500)),))

    worst = tally(thumbs(800, 200), thumbs(800, 200))
    assert figures_of(even, RULES)["worst_case_log_e"] is None
    assert figures_of(uneven, RULES)["worst_case_log_e"] == pytest.approx(
        log_e([worst], f=RULES.f0)
    )


def test_an_imbalance_of_the_scored_units_alone_asks_the_worst_case_too():
    scored = measured(scored=(((1_000, 600), (0.5, 0.5)),))

    assert figures_of(scored, RULES)["worst_case_log_e"] is not None


def test_without_bounds_only_the_bound_is_missing():
    whole, quick = figures_of(measured(), RULES), figures_of(measured(), RULES, bounds=False)

    assert quick == whole | {"lift_low": None}
    assert whole["lift_low"] == lower_bound(measured().quality, f=RULES.f0, alpha=RULES.alpha)


counts = st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(0, 5))
cells = st.builds(
    tally,
    counts.map(lambda c: thumbs(*c)),
    counts.map(lambda c: thumbs(*c)),
    st.sampled_from([0.1, 0.25, 0.5]),
)


@settings(deadline=None, max_examples=30)
@given(st.lists(cells, min_size=1, max_size=6), st.randoms())
def test_versions_of_one_share_are_one_however_they_come(parts, order):
    shuffled = list(parts)
    order.shuffle(shuffled)

    one = figures_of(measured(quality=tuple(parts)), RULES)
    other = figures_of(measured(quality=tuple(shuffled)), RULES)

    for name in ("log_e", "harm_log_e", "missing_log_e", "lift", "se", "lift_low"):
        assert one[name] == pytest.approx(other[name], abs=1e-9)


def test_mismatches_of_one_plan_add_up():
    plan = (0.5, 0.5)
    parts = measured(exposed=(((600, 500), plan), ((700, 600), plan), ((10, 9), (0.6, 0.4))))
    whole = measured(exposed=(((1_300, 1_100), plan), ((10, 9), (0.6, 0.4))))

    assert figures_of(parts, RULES)["srm_log_e"] == pytest.approx(
        figures_of(whole, RULES)["srm_log_e"]
    )


def test_a_margin_that_is_left_is_among_the_figures():
    found = figures_of(measured(), rules(latency_ratio=1.1))

    assert found["latency_margin"] == 1.1
    assert found["latency_ratio_high"] > found["latency_ratio"] == pytest.approx(1.0)
    assert np.isfinite(found["latency_log_e"])


def test_ratings_that_depend_on_the_variant_leave_the_lift_open_within_bounds():
    found = figures_of(sample(thumbs(480, 120, 400), thumbs(600, 400)), RULES)

    assert found["lee_low"] < 0.0 < found["lee_high"]
    assert "lee_low" not in figures_of(sample(), RULES)


def test_a_variant_that_nobody_rates_leaves_even_the_bounds_unmeasured():
    found = figures_of(sample(thumbs(0, 0, 1_000), thumbs(600, 400)), RULES)

    assert (found["lee_low"], found["lee_high"]) == (None, None)
