import pytest

from engine.config.retrieval import Rewriting
from engine.errors import DeadlineError
from engine.workflow.failure import LlmError
from engine.workflow.retrieval.rewrite import asked_alone, heuristic, ways_of_asking
from tests.engine.workflow.context.asked import Says, a_run

TALK = [
    {"role": "user", "content": "How does the zip function treat iterables of unequal length?"},
    {"role": "assistant", "content": "It stops at the shortest."},
    {"role": "user", "content": "And how do I change that?"},
]
LAST = "And how do I change that?"


async def alone(asker, how="model", talk=TALK):
    run, spans = a_run()
    return await asked_alone(talk, Rewriting(follow_ups=how), asker, run), spans


async def test_a_follow_up_is_made_whole_by_the_cheap_model():
    asker = Says("How do I change how zip treats iterables of unequal length?")

    question, spans = await alone(asker)

    assert question == "How do I change how zip treats iterables of unequal length?"
    assert asker.heard[0][:2] == ("rewrite_model", "cheap")
    assert "fallback" not in spans[0]


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "   ",
        "zip " * 200,
        "Sure! How do I change zip?",
        "The answer is zip.",
        "Use itertools.zip_longest with a fillvalue argument instead.",
        "How do I change that?\nBy the way, zip stops.",
        "How do I change zip in Python 3.10?",
    ],
)
async def test_what_is_no_question_is_not_asked(answer):
    question, spans = await alone(Says(answer))

    assert question == LAST
    assert spans[0]["fallback"] == "unusable"


@pytest.mark.parametrize("failure", [LlmError("upstream_5xx", "down"), DeadlineError("late")])
async def test_a_failing_model_leaves_the_question_as_it_stands(failure):
    question, spans = await alone(Says(failure))

    assert question == LAST
    assert spans[0]["fallback"] == "failed"


async def test_a_first_question_asks_no_model():
    asker = Says("unused")

    question, _ = await alone(asker, talk=TALK[:1])

    assert (question, asker.heard) == (TALK[0]["content"], [])


async def test_without_a_model_a_follow_up_gets_the_earlier_questions_words():
    question, _ = await alone(Says("unused"), how="heuristic")

    assert question.startswith(LAST)
    assert {"zip", "function", "iterables"} <= set(question.split())


def test_a_follow_up_of_a_follow_up_reaches_the_first_question():
    assert "zip" in heuristic(["How does zip work?", "And why?"], "What about its speed?")


@pytest.mark.parametrize(
    "question",
    ["How does the with statement handle exceptions raised in it?", "What is a generator?"],
)
def test_a_question_that_says_enough_stays_as_it_is(question):
    assert heuristic(["How does zip work?"], question) == question


async def test_a_question_is_asked_in_several_ways():
    asker = Says("1. What is zip for?\n- When is zip useful?\n\nWhat is zip for?\nWhy zip?")
    run, _ = a_run()

    ways = await ways_of_asking("What does zip do?", Rewriting(queries=3), asker, run)

    assert ways == ["What does zip do?", "What is zip for?", "When is zip useful?"]


@pytest.mark.parametrize("answer", [LlmError("upstream_5xx", "down"), "", "Sure, zip 2 things."])
async def test_one_way_is_left_where_no_other_comes(answer):
    run, spans = a_run()

    ways = await ways_of_asking("What does zip do?", Rewriting(queries=3), Says(answer), run)

    assert ways == ["What does zip do?"]
    assert spans[0]["fallback"] in {"failed", "unusable"}


async def test_one_way_asks_no_model():
    asker = Says("unused")
    run, _ = a_run()

    assert await ways_of_asking("What is zip?", Rewriting(), asker, run) == ["What is zip?"]
    assert asker.heard == []
