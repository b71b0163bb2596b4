"""The parts of `trimtab bench runtime` can be chosen, and measure what they say."""

import importlib

import numpy as np
import pytest
from typer.testing import CliRunner

from cluster.bench.runtime import peer, production, repeating, semantic_cache
from cluster.bench.runtime.agents import Done
from cluster.bench.runtime.graph import ready, shapes
from cluster.bench.runtime.intent import FILE, Written, accuracy
from cluster.bench.runtime.orders import ORDERS, Order, bad_day
from cluster.bench.runtime.questions import asked, questions, script
from cluster.bench.runtime.retrieval import recall
from cluster.bench.runtime.run import PARTS, parts
from cluster.bench.runtime.timing import latencies, spread
from cluster.main import app
from engine.config.source import load
from engine.errors import ConfigError
from engine.workflow.caching.rows import Rows
from engine.workflow.calculator import calculate, written
from engine.workflow.retrieval.dense import Dense
from engine.workflow.retrieval.hybrid import Query


def test_all_parts_run_unless_some_are_named():
    assert parts([]) == list(PARTS)
    assert parts(["client", "graph"]) == ["graph", "client"]


def test_an_unknown_part_is_refused_with_its_nearest():
    with pytest.raises(ConfigError, match="did you mean `graph`"):
        parts(["grape"])


@pytest.mark.parametrize("part", PARTS)
def test_every_part_is_a_module_that_measures(part):
    module = importlib.import_module(f"cluster.bench.runtime.{part}")

    assert callable(module.measure)


@pytest.mark.parametrize("shape", shapes(), ids=lambda shape: shape.name)
async def test_both_sides_of_a_graph_come_to_the_same_answer(shape):
    pytest.importorskip("langgraph")

    await (await ready(shape))()
    answer = await shape.theirs()()

    # The peer's fan-out adds its nodes up, ours adds the branches' values.
    assert answer["x"] == (shape.nodes if shape.name == "fan-out" else shape.answer)


def test_the_release_of_the_peer_is_told_or_its_absence():
    assert peer.peer_version() is None or peer.peer_version()[0].isdigit()


def test_rounds_come_to_a_median_between_their_ends():
    found = spread([3.0, 1.0, 2.0]).times(10.0)

    assert (found.low, found.median, found.high) == (10.0, 20.0, 30.0)


def test_an_unknown_part_ends_the_command_before_anything_is_measured():
    result = CliRunner().invoke(app, ["bench", "runtime", "--only", "grape", "--json"])

    assert result.exit_code == 2
    assert "grape" in result.stderr
    assert not result.stdout


@pytest.mark.parametrize("number", range(ORDERS))
def test_an_orders_total_is_what_the_calculator_gives_for_each_call(number):
    order = Order(number)

    *called, _ = order.dialogue.turns
    results = [written(calculate(turn.calls[0].arguments["expression"])) for turn in called]

    assert results == [order.total, order.total]
    assert order.is_right(order.dialogue.turns[-1].text, results)


def test_an_answer_that_no_tool_gave_is_not_right():
    order = Order(7)

    assert not order.is_right(f"The total is {order.total} dollars.", [])
    assert not order.is_right("Not answered; ask again for Order 007.", [order.total])


def test_a_bad_day_leaves_a_bare_loop_about_six_runs_in_ten():
    stalls = {"stalled", "stalled_mid_body"}

    failing = sum(share for name, share in bad_day().rates.items() if name not in stalls)

    assert 0.55 < (1.0 - failing) ** 3 < 0.65


def test_production_is_judged_by_success_time_cost_and_recovery():
    good = Done(right=True, erred=True, seconds=2.0, cost_usd=0.01)
    bad = Done(right=False, erred=True, seconds=40.0, cost_usd=0.01)

    made = production.rows([good] * 99 + [bad], [good, bad])

    assert [row.id.partition("-")[2] for row in made] == ["success", "p99", "cost", "recovered"]
    assert [row.passed for row in made] == [True] * 4
    assert [row.peer for row in made] == [0.5, pytest.approx(39.62), 0.01, 0.5]
    assert not production.rows([bad], [good])[0].passed


def test_every_wording_meets_the_rule_of_its_own_question():
    known = questions(np.random.default_rng(1))
    rules = script(known, "usual", "cheap").rules

    found = {
        wording: next(rule for rule in rules if rule.match.says in wording)
        for question in known
        for wording in question.wordings
    }

    assert all(rule.match.says == wording for wording, rule in found.items())


def test_the_first_question_is_asked_most_and_the_same_seed_asks_the_same():
    known = questions(np.random.default_rng(1))

    first, again = (asked(known, 500, np.random.default_rng(2)) for _ in range(2))
    often = [sum(one.question is question for one in first) for question in known]

    assert first == again
    assert max(often) == often[0]


def test_saving_counts_only_beside_answers_that_stay_as_good():
    requests = asked(questions(np.random.default_rng(1)), 100, np.random.default_rng(2))
    plain = repeating.Spent(cost_usd=1.0, right=97, calls=100)
    worse = repeating.Spent(cost_usd=0.1, right=95, confused=2, calls=20)

    made = {row.id: row for row in repeating.rows(requests, plain, plain, worse)}

    assert made["repeating-saved"].value == pytest.approx(0.9)
    assert made["repeating-saved"].passed
    assert not made["repeating-quality"].passed
    assert made["repeating-saved-by-caches"].value == 0.0


def test_every_call_is_timed_by_itself():
    heard = []

    found = latencies(heard.append, "abc")

    assert heard == ["a", "b", "c"]
    assert min(found.wall_ms) <= found.wall(0.99) <= max(found.wall_ms)
    assert len(found.own_ms) == 3


def test_half_of_what_a_semantic_cache_is_asked_is_near_something_that_it_holds():
    rng = np.random.default_rng(3)
    vectors = semantic_cache.clustered(rng, 500)
    table = Rows(500, semantic_cache.DIMENSION, semantic_cache.THRESHOLD)
    for vector in vectors:
        table.add(vector, semantic_cache.SCOPE, 1e9, 0.0)

    queries = semantic_cache.asked(rng, vectors, 100)
    near = (queries @ vectors.T).max(axis=1) >= semantic_cache.THRESHOLD - 1e-6

    assert near[:50].all()
    assert near[50:].sum() == 0
    assert semantic_cache.recall(table, vectors, queries) >= 0.99


def test_a_search_that_compares_with_every_passage_finds_all_of_the_nearest():
    vectors = semantic_cache.clustered(np.random.default_rng(4), 200)
    exact = Dense(vectors)

    assert recall(exact, exact, [Query("", vector) for vector in vectors[:5]]) == 1.0


def test_intents_are_told_apart_by_vectors_that_do_so():
    groups = load(FILE, Written).intents
    places = {text: n for n, texts in enumerate(groups.values()) for text in texts}

    def apart(texts):
        return np.eye(len(groups), dtype=np.float32)[[places[text] for text in texts]]

    def alike(texts):
        return np.ones((len(texts), 1), dtype=np.float32)

    assert accuracy(apart, groups) == 1.0
    assert accuracy(alike, groups) < 0.5
