import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.workflow.context.clean import cleaned, distinct, facts
from engine.workflow.context.sentences import sentences


@given(st.text(alphabet="ab. !?\n\"A'", max_size=200))
def test_sentences_joined_are_the_text(text):
    assert "".join(sentences(text)) == text


def test_an_abbreviation_ends_no_sentence():
    assert sentences("Use it, e.g. like this. Then stop.") == [
        "Use it, e.g. like this. ",
        "Then stop.",
    ]


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("one   two\t\tthree  \nfour", "one two three\nfour"),
        ("one\n\n\n\ntwo", "one\n\ntwo"),
        ("one <!-- a\nnote --> two", "one two"),
        ("one\n\n* * *\n\ntwo", "one\n\ntwo"),
        ("![x](data:image/png;base64,iVBORw0KGgo=)", "![x]([encoded data])"),
        ("see aB3+" + "xY9/" * 60, "see [encoded data]"),
    ],
)
def test_what_says_nothing_goes(text, clean):
    assert cleaned(text) == clean


def test_a_line_on_every_page_is_kept_once():
    text = "\n".join(f"Page of Acme\nfact {n}" for n in range(3))

    assert cleaned(text) == "Page of Acme\nfact 0\nfact 1\nfact 2"


def test_code_stays_as_it_is():
    code = "```python\nx  =  1\n\n\n\nx  =  1\nx  =  1\n# ----\n---\n```"

    assert cleaned(f"one   two\n{code}\nthree") == f"one two\n{code}\nthree"


LINES = (
    "one",
    "one  two",
    "",
    "---",
    "  * item",
    "<!-- note -->",
    "x <!-- a",
    "b --> y",
    "```",
    "1",
)


@given(st.lists(st.sampled_from(LINES), max_size=20).map("\n".join))
def test_cleaning_never_makes_longer_and_cleaning_again_changes_nothing(text):
    once = cleaned(text)

    assert len(once) <= len(text)
    assert cleaned(once) == once


def test_a_long_number_is_no_blob():
    assert cleaned("1" * 400) == "1" * 400


def test_a_passage_that_says_the_same_is_dropped():
    passages = [
        "Iron rusts quickly in salt water and slowly elsewhere.",
        "Copper turns green.",
        "Iron rusts quickly in salt  water, and slowly elsewhere!",
    ]

    assert distinct(passages) == [0, 1]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The pump takes 20 litres an hour.", "The pump takes 30 litres an hour."),
        ("The pump may run at night.", "The pump may not run at night."),
    ],
)
def test_passages_that_differ_in_a_fact_are_both_kept(one, other):
    assert distinct([one, other]) == [0, 1]


def test_numbers_and_negations_are_facts():
    assert set(facts("It isn't 3.5, nor 1,000.")) == {"isn't", "3.5", "nor", "1,000"}
