"""Laws of the frozen anchor: a margin is spent once, however many promotions spend it."""

import pytest

from engine.experiment.anchor import latency_spent
from engine.experiment.entries import HoldbackClosed, RolledBack
from tests.engine.experiment.examples import (
    ANNE,
    BASE,
    BERT,
    BETTER,
    TRIED,
    installed,
    nominated,
    opened,
    promoted,
    stepped,
    told,
)


def proved(high, margin=1.2):
    figures = {"latency_ratio_high": high, "latency_margin": margin}
    return BETTER.model_copy(update={"figures": figures})


def first(high=1.08):
    """Anne takes the base's place on evidence."""
    return (*TRIED, nominated(), stepped(), promoted(verdict=proved(high)))


def second(high=1.1):
    """Bert takes Anne's place on evidence."""
    return (
        *first(),
        HoldbackClosed(workflow="docs", reason="it stands"),
        opened("w2", BERT, baseline=ANNE.hash),
        nominated(BERT, ("w2",), window="r2", baseline=ANNE.hash),
        stepped(window="r2"),
        promoted(BERT, ANNE, window="r2", verdict=proved(high, margin=1.2 / 1.08)),
    )


def spent(*decisions, candidate=None, baseline, window="w9"):
    state = told(*decisions, opened(window, candidate or NEXT, baseline=baseline.hash))
    return latency_spent(state.workflow("docs"), state.window(window), 1.2)


NEXT = type(BASE).of({"llm.temperature": 0.7})


def test_the_installed_variant_is_the_anchor():
    assert spent(*TRIED, baseline=BASE) == 1.0


def test_each_promotion_multiplies_by_its_upper_bound():
    assert spent(*first(), baseline=ANNE) == pytest.approx(1.08)
    assert spent(*second(), baseline=BERT) == pytest.approx(1.08 * 1.1)


def test_no_promotion_spends_more_than_its_guardrail_let_through():
    assert spent(*first(high=1.5), baseline=ANNE) == pytest.approx(1.2)


def test_a_promotion_without_the_figure_spends_all_that_was_allowed():
    assert spent(*first(high=None), baseline=ANNE) == pytest.approx(1.2)
    bare = (*TRIED, nominated(), stepped(), promoted(verdict=BETTER))
    assert spent(*bare, baseline=ANNE) == pytest.approx(1.2)


def test_a_faster_variant_gives_margin_back():
    assert spent(*first(high=0.9), baseline=ANNE) == pytest.approx(0.9)


def test_a_rollback_on_evidence_returns_what_was_spent():
    worse = BETTER.model_copy(update={"action": "rollback", "cause": "harm"})
    back = RolledBack(
        workflow="docs", before=BERT.hash, after=ANNE.hash, reason="worse", verdict=worse
    )

    assert spent(*second(), back, baseline=ANNE) == pytest.approx(1.08)


def test_what_a_person_puts_in_force_is_the_new_anchor():
    by_hand = promoted(BERT, ANNE, window=None, experiment=None, verdict=None)

    tried = opened("w2", BERT, baseline=ANNE.hash)

    assert spent(*first(), tried, by_hand, baseline=BERT) == 1.0


def test_installing_the_baseline_again_sets_no_new_anchor():
    held = (*first(), HoldbackClosed(workflow="docs", reason="it stands"))

    assert spent(*held, installed(baseline=ANNE), baseline=ANNE) == pytest.approx(1.08)


def test_in_a_holdback_the_former_baseline_is_the_one_compared_with():
    state = told(*second())

    holdback = state.workflow("docs").holdback

    assert latency_spent(state.workflow("docs"), holdback, 1.2) == pytest.approx(1.08)
