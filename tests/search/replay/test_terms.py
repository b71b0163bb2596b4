"""Laws of a replay's terms: no clock, a known baseline, and no guardrail that nothing measures."""

from dataclasses import replace

import numpy as np
import pytest

from engine.errors import ConfigError
from search.replay.terms import baseline_of, refuse_unmeasurable, timeless, usual_experiment
from tests.search.replay.tables import experiment, table


def test_in_a_replay_no_day_passes():
    given = experiment().model_copy(
        update={"mode": "suggest", "maturation_s": 60.0, "min_cycle_s": 86_400.0}
    )

    replayed = timeless(given.model_copy(update={"max_duration_s": 10.0}))

    assert (replayed.mode, replayed.maturation_s, replayed.min_cycle_s) == ("auto", 0.0, 0.0)
    assert replayed.max_duration_s is None
    assert replayed.windows == given.windows


def test_the_usual_experiment_searches_the_variants():
    usual = usual_experiment(["a", "b"])

    assert usual.space["variant"].choices == ("a", "b")
    assert usual.windows.concurrent * usual.windows.share == pytest.approx(0.2)


def test_the_baseline_is_the_named_one_or_the_one_of_that_name():
    assert baseline_of(["a", "baseline"], None) == "baseline"
    assert baseline_of(["a", "baseline"], "a") == "a"


def test_an_unknown_baseline_is_refused_with_what_there_is():
    with pytest.raises(ConfigError, match="name one by --baseline: `a`, `b`"):
        baseline_of(["a", "b"], None)
    with pytest.raises(ConfigError, match="--baseline is 'prompt1', no variant; did you mean"):
        baseline_of(["prompt_1", "b"], "prompt1")


def test_what_the_table_measures_is_let_through():
    outcomes = table(0.5, 0.6, units=4, segment=np.zeros(8, dtype=np.int64), segments=("web",))
    segments = experiment().segments.model_copy(update={"names": ("web",)})

    refuse_unmeasurable(experiment().model_copy(update={"segments": segments}), outcomes)


def test_without_latency_nothing_could_ever_be_promoted_and_it_says_so():
    with pytest.raises(ConfigError, match="no column `latency_s`, so `trimtab` could never"):
        refuse_unmeasurable(experiment(), replace(table(0.5, 0.6, units=4), latency_s=None))


def test_a_guardrail_that_a_replay_can_not_measure_is_refused():
    rails = experiment().guardrails.model_copy(update={"cost_ratio": 1.5, "timeout_margin": 0.1})

    with pytest.raises(
        ConfigError, match=r"timeout_margin`, `guardrails\.cost_ratio`, so `trimtab`"
    ):
        refuse_unmeasurable(
            experiment().model_copy(update={"guardrails": rails}), table(0.5, 0.6, units=4)
        )


def test_a_segment_that_the_table_does_not_hold_is_refused():
    segments = experiment().segments.model_copy(update={"names": ("wob",)})
    outcomes = table(0.5, 0.6, units=4, segment=np.zeros(8, dtype=np.int64), segments=("web",))

    with pytest.raises(ConfigError, match="'wob' is no segment of the outcomes; did you mean"):
        refuse_unmeasurable(experiment().model_copy(update={"segments": segments}), outcomes)
