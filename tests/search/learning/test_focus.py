"""A search may begin with one block of its space, whichever sampler goes on after it."""

import optuna
import pytest

from engine.config.paths import settings_of
from engine.config.space import Space
from search.draws import Draws
from search.learning.sampler import EARLIER
from search.searcher import Study, TrimtabSearch, storage_of
from search.space import define
from tests.search.stage import WORKFLOW

FIRST = 8
SPACE = Space.model_validate(
    {
        "parameters": {
            "llm.temperature": {"type": "float", "low": 0.0, "high": 1.0},
            "llm.max_tokens": {"type": "choice", "choices": [64, 128, 512]},
            "rag.top_k": {"type": "int", "low": 1, "high": 12},
            "rag.rerank.enabled": {"type": "bool"},
            "rag.rerank.depth": {
                "type": "int",
                "low": 10,
                "high": 40,
                "when": {"rag.rerank.enabled": True},
            },
        },
        "exclusive": [["nodes.qa_agent.default", "nodes.qa_with_tool_agent.default"]],
    }
)
SETTINGS = settings_of(WORKFLOW)
BASELINE = Draws(SPACE).params_of(SETTINGS)


def search_in(root, proposer, focus):
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = Study(
        name="docs-qa",
        storage=storage_of(root),
        startup_trials=FIRST,
        seed=3,
        proposer=proposer,
        focus=focus,
    )
    return TrimtabSearch(SPACE, SETTINGS, study, lambda: "open")


def changed(search, count=FIRST):
    """The parameters in which proposals differ from the baseline."""
    found = set()
    for number in range(count):
        proposed = search.suggest(f"{proposed_so_far(search)}-{number}")
        found |= {
            name
            for name in proposed.keys() | BASELINE.keys()
            if proposed.get(name) != BASELINE.get(name)
        }
    return found


def proposed_so_far(search):
    return len(search.study.trials)


@pytest.mark.parametrize("proposer", ["differences", "tpe", "article", "random"])
def test_the_first_proposals_vary_the_block_and_nothing_else(tmp_path, proposer):
    search = search_in(tmp_path, proposer, ("rag.top_k", "rag.rerank.enabled", "rag.rerank.depth"))

    first = changed(search)
    later = changed(search, 24)

    assert "rag.top_k" in first
    assert first <= {"rag.top_k", "rag.rerank.enabled", "rag.rerank.depth"}
    assert not later <= {"rag.top_k", "rag.rerank.enabled", "rag.rerank.depth"}


def test_a_switch_of_a_group_opens_the_group(tmp_path):
    search = search_in(tmp_path, "differences", ("nodes.qa_agent.default",))

    assert changed(search) == {"nodes.qa_agent.default|nodes.qa_with_tool_agent.default"}


def test_trials_of_other_experiments_do_not_use_the_first_ones_up(tmp_path):
    search = search_in(tmp_path, "random", ("rag.top_k",))
    other = optuna.create_study()
    for _ in range(FIRST):
        trial = other.ask()
        define(SPACE, trial)
        trial.set_user_attr(EARLIER, "other")
        other.tell(trial, 0.0)
    search.study.add_trials(other.trials)

    assert changed(search) == {"rag.top_k"}


def test_a_copied_search_draws_other_proposals(tmp_path):
    sampler = search_in(tmp_path, "random", ("rag.top_k",)).study.sampler
    before = sampler._rng

    sampler.reseed_rng()

    assert sampler._rng is not before
