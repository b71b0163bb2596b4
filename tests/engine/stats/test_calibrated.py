"""Laws of calibrated scores: right on average whatever the evaluator says, within known ends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ConfigError
from engine.stats.betting import harm_log_e, log_e, lower_bound
from engine.stats.calibrated import calibrated, ends, scale_of
from engine.stats.estimate import estimate
from engine.stats.pseudo import centre_of, pseudo_of
from engine.stats.tally import PLAIN, Scale, Tally, merged, tally_of
from engine.stats.trimming import lee_bounds

scores = st.floats(0.0, 1.0)
shares = st.floats(0.01, 0.99)


@given(judged=scores, label=scores, audited=shares)
def test_averaged_over_the_draw_a_score_is_the_label_whatever_the_evaluator_says(
    judged, label, audited
):
    mean = audited * calibrated(judged, label, audited) + (1.0 - audited) * calibrated(
        judged, None, audited
    )

    assert mean == pytest.approx(label, abs=1e-9)


@given(judged=scores, label=st.none() | scores, audited=shares)
def test_a_score_lies_within_its_scale_and_its_way_there_and_back_changes_nothing(
    judged, label, audited
):
    scale, score = scale_of(audited), calibrated(judged, label, audited)

    stored = scale.stored(score)

    assert -1e-12 <= stored <= 1.0 + 1e-12
    assert scale.value(stored) == pytest.approx(score, abs=1e-9)


@given(judged=scores, label=scores, audited=shares)
def test_no_label_scores_less_than_the_worst_or_more_than_the_best(judged, label, audited):
    least, most = ends(judged, audited)

    assert least <= calibrated(judged, label, audited) <= most


@given(judged=scores, label=scores, audited=shares)
def test_the_variance_of_the_draw_is_what_the_scale_expects_of_that_error(judged, label, audited):
    sampled, rest = calibrated(judged, label, audited), calibrated(judged, None, audited)
    variance = audited * (1.0 - audited) * (sampled - rest) ** 2

    assert variance == pytest.approx((1.0 / audited - 1.0) * (label - judged) ** 2, abs=1e-9)


@pytest.mark.parametrize("audited", [0.0, 1.0, -0.1, float("nan")])
def test_a_share_of_nothing_or_all_is_refused(audited):
    with pytest.raises(ConfigError, match="between 0 and 1"):
        scale_of(audited)


@pytest.mark.parametrize(("judged", "label"), [(1.1, None), (0.5, -0.1), (float("nan"), 1.0)])
def test_a_score_outside_its_range_is_refused(judged, label):
    with pytest.raises(ConfigError, match="both lie in"):
        calibrated(judged, label, 0.1)


def test_a_scale_holds_0_and_1():
    with pytest.raises(ConfigError, match="holds 0 to 1"):
        Scale(low=0.2)


def on(scale, tally):
    return Tally(tally.pi, tally.candidate, tally.baseline, scale=scale)


WIDE = Scale(-1.0, 2.0)
THIRDS = tally_of(0.5, [1 / 3, 2 / 3, 2 / 3], [1 / 3, 1 / 3, 2 / 3])


def test_estimates_are_on_the_scale_of_the_tally():
    found = estimate([on(WIDE, THIRDS)], f=0.5)

    assert found.candidate_mean == pytest.approx(2 / 3, abs=0.02)
    assert found.baseline_mean == pytest.approx(1 / 3, abs=0.02)
    assert found.lift == pytest.approx(3.0 * estimate([THIRDS], f=0.5).lift)
    assert lee_bounds([on(WIDE, THIRDS)]).estimate == pytest.approx(
        3.0 * lee_bounds([THIRDS]).estimate
    )


@given(mirrored=st.booleans(), pi=st.floats(0.05, 0.95), f=scores)
def test_no_outcome_lies_below_the_floor_that_bets_are_sized_by(mirrored, pi, f):
    ends_only = on(WIDE, tally_of(pi, [0.0, 1.0], [0.0, 1.0]))

    found = pseudo_of([ends_only], f, mirrored=mirrored)

    assert found.values.min() == pytest.approx(found.floor[0])


def test_a_wider_scale_makes_smaller_bets():
    assert centre_of(0.5, WIDE).variance > centre_of(0.5, PLAIN).variance
    assert log_e([on(WIDE, THIRDS)], f=0.5) != log_e([THIRDS], f=0.5)


def test_evidence_on_a_wide_scale_is_finite_and_its_bound_below_the_lift():
    many = on(WIDE, tally_of(0.5, [0.7] * 3_000, [0.4] * 3_000))

    assert 0.5 < lower_bound([many], f=0.5, alpha=0.05) < 0.9
    assert harm_log_e([many], f=0.5) < 0.0


def test_tallies_of_two_scales_are_never_mixed():
    with pytest.raises(ConfigError, match="keep them apart"):
        merged(THIRDS, on(WIDE, THIRDS))
    with pytest.raises(ConfigError, match="2 scales"):
        pseudo_of([THIRDS, on(WIDE, THIRDS)], 0.5)


def test_adding_keeps_the_scale():
    assert (on(WIDE, THIRDS) + on(WIDE, THIRDS)).scale == WIDE
