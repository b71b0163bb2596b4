"""The laws of the demo's questions: they can be answered, rated and split honestly."""

import ast
import json
import math
import operator
import re
from collections import Counter
from pathlib import Path
from pydoc_data.topics import topics

import pytest

QUESTIONS = Path(__file__).parents[2] / "configs" / "demo" / "questions.jsonl"
FIELDS = {"id", "question", "topic", "split", "segment", "facts"}
SHARES = {
    "definition": 0.50,
    "how-to": 0.18,
    "comparison": 0.12,
    "arithmetic": 0.12,
    "unanswerable": 0.08,
}
SPLITS = ("traffic", "heldout")
REFUSAL = ["don't know", "do not know", "not in the context", "cannot answer"]
OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
EXPRESSION = re.compile(r"\(?\d+(?:\.\d+)?(?:\s*(?:\*\*|//|[-+*/%])\s*\(?\d+(?:\.\d+)?\)?)+")


def folded(text):
    return " ".join(text.split()).lower()


CORPUS = {topic: folded(text) for topic, text in topics.items()}


@pytest.fixture(scope="module")
def questions():
    return [json.loads(line) for line in QUESTIONS.read_text(encoding="utf-8").splitlines()]


def of(questions, **wanted):
    return [q for q in questions if all(q[field] == value for field, value in wanted.items())]


def value_of(node):
    if isinstance(node, ast.BinOp):
        return OPERATORS[type(node.op)](value_of(node.left), value_of(node.right))
    assert isinstance(node, ast.Constant)
    return node.value


def result_of(question):
    """Return the number that an arithmetic question asks for."""
    if found := re.search(r"sum of ([\d ,and]+\d)", question):
        return sum(int(figure) for figure in re.findall(r"\d+", found[1]))
    if found := re.search(r"product of (\d+) and (\d+)", question):
        return int(found[1]) * int(found[2])
    if found := re.search(r"(\d+) percent of (\d+)", question):
        return int(found[1]) * int(found[2]) / 100
    expression = max(EXPRESSION.findall(question), key=len)
    return value_of(ast.parse(expression, mode="eval").body)


def test_every_line_is_a_whole_question(questions):
    for question in questions:
        assert set(question) == FIELDS
        assert question["split"] in SPLITS
        assert question["segment"] in SHARES
        assert question["question"].strip() == question["question"] != ""
        assert 1 <= len(question["facts"]) <= 2
        assert all(
            alternatives and all(map(str.strip, alternatives)) for alternatives in question["facts"]
        )


def test_there_are_enough_questions_for_traffic_and_for_the_end(questions):
    sizes = Counter(question["split"] for question in questions)

    assert len(questions) >= 240
    assert abs(sizes["traffic"] - sizes["heldout"]) <= 0.02 * len(questions)


def test_no_question_and_no_id_comes_twice(questions):
    assert len({question["id"] for question in questions}) == len(questions)
    assert len({folded(question["question"]) for question in questions}) == len(questions)


def test_no_topic_is_asked_about_in_both_splits(questions):
    traffic, heldout = ({q["topic"] for q in of(questions, split=split)} for split in SPLITS)

    assert not traffic & heldout


@pytest.mark.parametrize("split", SPLITS)
def test_every_split_has_the_same_mix_of_segments(questions, split):
    asked = of(questions, split=split)

    for segment, share in SHARES.items():
        assert len(of(asked, segment=segment)) / len(asked) == pytest.approx(share, abs=0.02)


def test_a_topic_is_a_key_of_the_corpus_unless_the_corpus_has_no_answer(questions):
    for question in questions:
        if question["segment"] in ("arithmetic", "unanswerable"):
            assert question["topic"] == f"none-{question['segment']}-{question['split']}"
        else:
            assert question["topic"] in CORPUS


def test_every_fact_occurs_in_its_topic(questions):
    absent = [
        (question["id"], alternatives)
        for question in questions
        if question["topic"] in CORPUS
        for alternatives in question["facts"]
        if not any(folded(phrase) in CORPUS[question["topic"]] for phrase in alternatives)
    ]

    assert absent == []


def test_no_question_gives_its_own_fact_away(questions):
    given_away = [
        (question["id"], phrase)
        for question in questions
        for alternatives in question["facts"]
        for phrase in alternatives
        if folded(phrase) in folded(question["question"])
    ]

    assert given_away == []


def test_every_arithmetic_fact_is_the_right_number(questions):
    for question in of(questions, segment="arithmetic"):
        [alternatives] = question["facts"]

        result = result_of(question["question"])

        for phrase in alternatives:
            assert math.isclose(float(phrase.replace(",", "")), result, rel_tol=1e-12)


def test_an_unanswerable_question_is_answered_by_admitting_it(questions):
    for question in of(questions, segment="unanswerable"):
        assert question["facts"] == [REFUSAL]
