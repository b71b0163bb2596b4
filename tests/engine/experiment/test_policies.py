"""Laws of the two other ways to decide: only the best, and the original article's rule."""

import pytest

from engine.experiment.decide import HARM_LOG_E, SRM_LOG_E, decide
from tests.engine.experiment.samples import figures, rules

BEST = rules(best=True)
ARTICLE = rules(policy="article", max_units=500)


def judged(found, asked):
    verdict = decide(found, asked)
    return verdict.action, verdict.cause


def fixed(own=0.62, other=0.60, ratio=1.2, units=500):
    """What a fixed window shows; no evidence speaks for the candidate."""
    return figures(
        candidate_mean=own,
        baseline_mean=other,
        latency_ratio=ratio,
        candidate_units=units,
        log_e=-3.0,
        latency_log_e=-3.0,
    )


def test_where_the_best_is_looked_for_a_proof_alone_holds():
    assert judged(figures(), BEST) == ("hold", "rivals")
    assert judged(figures(chance_of_best=0.89), BEST) == ("hold", "rivals")
    assert judged(figures(chance_of_best=0.9), BEST) == ("promote", "evidence")


def test_rivals_hold_a_proof_no_longer_than_its_window():
    """Two equally good candidates must not keep each other out for ever."""
    assert judged(figures(candidate_units=2_000), BEST) == ("promote", "evidence")


def test_being_the_best_replaces_no_proof():
    assert judged(figures(log_e=1.0, chance_of_best=1.0), BEST)[0] == "continue"
    assert judged(figures(latency_log_e=0.0, chance_of_best=1.0), BEST) == ("hold", "latency")


def test_where_any_better_one_will_do_rivals_do_not_hold():
    assert judged(figures(), rules()) == ("promote", "evidence")


def test_the_article_takes_two_points_whatever_the_evidence():
    assert judged(fixed(), ARTICLE) == ("promote", "rule")


@pytest.mark.parametrize("refused", [fixed(own=0.6199), fixed(ratio=1.21)])
def test_the_article_refuses_a_smaller_lead_or_more_latency(refused):
    assert judged(refused, ARTICLE) == ("stop", "rule")


def test_the_article_looks_once_at_the_end_of_its_window():
    assert judged(fixed(units=499), ARTICLE) == ("continue", "too_early")


def test_what_the_article_cannot_measure_it_does_not_take():
    assert judged(fixed() | {"latency_ratio": None}, ARTICLE) == ("stop", "budget")


def test_the_article_waits_for_a_person_where_one_is_asked_for():
    waiting = ARTICLE.model_copy(update={"needs_approval": True})

    assert judged(fixed(), waiting) == ("hold", "approval")


BANDIT = rules(policy="bandit")


def test_a_bandit_promotes_nothing_and_gives_nothing_up():
    hopeless = figures(log_e=-5.0, lift=-0.05, candidate_units=50_000)

    assert judged(figures(), BANDIT) == ("continue", "undecided")
    assert judged(hopeless, BANDIT) == ("continue", "undecided")


@pytest.mark.parametrize("flaw", [{"srm_log_e": SRM_LOG_E}, {"harm_log_e": HARM_LOG_E}])
def test_a_bandit_stops_what_harms(flaw):
    assert judged(figures(**flaw), BANDIT)[0] == "stop"


@pytest.mark.parametrize("flaw", [{"srm_log_e": SRM_LOG_E}, {"harm_log_e": HARM_LOG_E}])
def test_protection_comes_before_the_articles_rule(flaw):
    assert judged(fixed() | flaw, ARTICLE)[0] == "stop"
