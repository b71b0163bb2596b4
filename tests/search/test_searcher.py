import math
import pickle

import optuna
import pytest
from optuna.trial import TrialState

from engine.config.paths import settings_of
from engine.config.space import Space
from engine.errors import ConfigError
from search.searcher import Study, TrimtabSearch, storage_of, tell_abandoned
from search.space import changes_of
from tests.search.stage import WORKFLOW

SPACE = {
    "parameters": {
        "llm.prompt": {"type": "choice", "choices": ["plain", "terse"]},
        "rag.rerank.enabled": {"type": "bool"},
        "llm.temperature": {"type": "float", "low": 0.0, "high": 1.0},
    },
    "forbidden": [{"llm.prompt": "terse", "rag.rerank.enabled": True}],
}


class Passes:
    """A gate that a test opens and shuts; it can be pickled, as the real one can."""

    def __init__(self, passage: str = "open") -> None:
        self.passage = passage

    def __call__(self) -> str:
        return self.passage


def search_in(root, *, gate=None, space=None, name="docs-qa", proposer="differences"):
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = storage_of(root)
    study = Study(name=name, storage=storage, startup_trials=3, seed=1, proposer=proposer)
    spaces = Space.model_validate(space or SPACE)
    return TrimtabSearch(spaces, settings_of(WORKFLOW), study, gate or Passes())


def states(search):
    return [one.state for one in search.study.get_trials(deepcopy=False)]


def accepted(search):
    return [one for one in search.study.trials if "trial" in one.user_attrs]


def last(**changes):
    report = {"objective": 0.01, "window": "w3-a", "candidate": "abc", "cause": "futility"}
    return report | {"units": 300, "lift": 0.02, "se": 0.01, "log_e": 1.0} | changes


@pytest.mark.parametrize(
    ("result", "error", "state", "value"),
    [
        (last(objective=0.02), False, TrialState.COMPLETE, 0.02),
        (last(objective=math.nan), False, TrialState.FAIL, None),
        (last(objective=math.inf), False, TrialState.FAIL, None),
        ({"done": True}, False, TrialState.FAIL, None),
        (None, False, TrialState.FAIL, None),
        (last(objective=0.02), True, TrialState.FAIL, None),
    ],
)
def test_every_optuna_trial_is_told_how_it_ended(tmp_path, result, error, state, value):
    search = search_in(tmp_path)
    search.suggest("a")

    search.on_trial_complete("a", result, error)

    (own,) = [one for one in search.study.trials if one.user_attrs.get("trial") == "a"]
    assert (own.state, own.value) == (state, value)


def test_the_study_keeps_the_window_and_the_figures_of_each_trial(tmp_path):
    search = search_in(tmp_path)
    search.suggest("a")

    search.on_trial_result("a", last(lift=math.nan))
    search.on_trial_complete("a", last(lift=math.nan))

    (own,) = [one for one in search.study.trials if one.state == TrialState.COMPLETE]
    kept = {key: own.user_attrs[key] for key in ("trial", "window", "candidate", "cause", "units")}
    assert kept == {
        "trial": "a",
        "window": "w3-a",
        "candidate": "abc",
        "cause": "futility",
        "units": 300,
    }
    assert "lift" not in own.user_attrs


def test_a_proposal_is_what_its_optuna_trial_drew(tmp_path):
    search = search_in(tmp_path)

    proposed = [search.suggest(str(number)) for number in range(8)]

    drew = {one.user_attrs["trial"]: one.params for one in accepted(search)}
    assert proposed == [drew[str(number)] for number in range(8)]


def test_forbidden_combinations_never_open_a_window(tmp_path):
    search = search_in(tmp_path, proposer="tpe")
    spaces = Space.model_validate(SPACE)

    proposed = [changes_of(spaces, search.suggest(str(number))) for number in range(12)]

    assert not any(spaces.forbids(changes) for changes in proposed)
    rejected = [one for one in search.study.trials if one.user_attrs.get("cause") == "forbidden"]
    assert rejected
    assert {one.state for one in rejected} == {TrialState.FAIL}


@pytest.mark.parametrize("proposer", ["differences", "tpe", "article", "random"])
def test_every_proposer_learns_from_running_trials_and_ends_each(tmp_path, proposer):
    search = search_in(tmp_path, proposer=proposer)

    for number in range(8):
        assert search.suggest(str(number)) is not None
        search.on_trial_result(str(number), last(lift=0.01 * number, latency_ratio=1.1))
        if number >= 2:
            search.on_trial_complete(str(number - 2), last(latency_ratio=1.3))

    running = [one for one in search.study.trials if one.state == TrialState.RUNNING]
    assert [one.user_attrs["lift"] for one in running] == pytest.approx([0.06, 0.07])
    ended = [one for one in accepted(search) if one.state == TrialState.COMPLETE]
    assert len(ended) == 6
    assert all(one.constraints["latency"] > 0.0 for one in ended)
    assert all(one.constraints["errors"] == 0.0 for one in ended)


def test_an_unmeasured_guardrail_is_told_as_violated(tmp_path):
    search = search_in(tmp_path)
    search.suggest("a")

    search.on_trial_complete("a", last(latency_ratio=math.nan, cause="errors"))

    (own,) = accepted(search)
    assert own.constraints == {"latency": 1.0, "errors": 1.0}


def test_the_proposer_that_learns_forbids_by_itself(tmp_path):
    search = search_in(tmp_path)
    spaces = Space.model_validate(SPACE)

    proposed = [changes_of(spaces, search.suggest(str(number))) for number in range(12)]

    assert not any(spaces.forbids(changes) for changes in proposed)
    assert len(search.study.trials) == 12


def test_a_space_that_forbids_everything_is_refused(tmp_path):
    everything = SPACE | {
        "parameters": {"rag.rerank.enabled": {"type": "bool"}},
        "forbidden": [{"rag.rerank.enabled": True}, {"rag.rerank.enabled": False}],
    }
    search = search_in(tmp_path, space=everything)

    with pytest.raises(ConfigError, match="forbid less"):
        search.suggest("a")

    assert TrialState.RUNNING not in states(search)


def test_nothing_is_proposed_while_a_ramp_goes_on_or_after_the_end(tmp_path):
    gate = Passes("waiting")
    search = search_in(tmp_path, gate=gate)

    while_waiting = search.suggest("a")
    gate.passage = "over"
    afterwards = search.suggest("a")

    assert while_waiting is None
    assert afterwards == TrimtabSearch.FINISHED
    assert states(search) == []


def test_a_new_search_tells_the_trials_of_a_dead_one_that_they_failed(tmp_path):
    dead = search_in(tmp_path)
    dead.suggest("a")
    dead.suggest("b")
    dead.on_trial_complete("b", last())

    search = search_in(tmp_path)

    assert TrialState.RUNNING not in states(search)
    assert TrialState.COMPLETE in states(search)


def test_a_restored_search_continues_its_trials_and_fails_the_ones_it_never_knew(tmp_path):
    dead = search_in(tmp_path)
    known = dead.suggest("a")
    dead.save(str(tmp_path / "snapshot"))
    dead.suggest("b")

    search = search_in(tmp_path, name="unused")
    search.restore(str(tmp_path / "snapshot"))
    resumed = search.suggest("a")
    search.on_trial_complete("a", last(objective=0.04))

    told = {one.user_attrs["trial"]: one for one in accepted(search)}
    assert resumed == known
    assert told["a"].value == 0.04
    assert told["b"].state == TrialState.FAIL
    assert TrialState.RUNNING not in states(search)


def test_what_ended_after_the_snapshot_stays_as_it_was_told(tmp_path):
    dead = search_in(tmp_path)
    dead.suggest("a")
    dead.save(str(tmp_path / "snapshot"))
    dead.on_trial_complete("a", last(objective=0.04))

    search = search_in(tmp_path, name="unused")
    search.restore(str(tmp_path / "snapshot"))
    search.on_trial_complete("a", last(objective=-0.5))

    (own,) = [one for one in search.study.trials if one.user_attrs.get("trial") == "a"]
    assert own.value == 0.04


def test_after_the_end_nothing_is_left_running(tmp_path):
    search = search_in(tmp_path)
    for number in range(3):
        search.suggest(str(number))

    tell_abandoned(search.study)

    assert TrialState.RUNNING not in states(search)


def test_a_search_can_be_pickled_with_its_study(tmp_path):
    search = search_in(tmp_path)
    search.suggest("a")

    copy = pickle.loads(pickle.dumps(search))
    copy.on_trial_complete("a", last(objective=0.03))

    (own,) = [one for one in search.study.trials if one.user_attrs.get("trial") == "a"]
    assert own.value == 0.03
