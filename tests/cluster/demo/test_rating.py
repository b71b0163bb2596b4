import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.demo.rating import score

FACTS = [["don't know", "do not know"], ["two\n lines"]]


@pytest.mark.parametrize(
    ("answer", "rating"),
    [
        ("I DON'T know about Two   lines.", 1.0),
        ("I do not know two\nlines", 1.0),
        ("I don't know.", 0.0),
        ("two lines", 0.0),
        ("", 0.0),
    ],
)
def test_every_fact_needs_one_of_its_alternatives(answer, rating):
    assert score(answer, FACTS) == rating


@given(st.text(max_size=40), st.text(max_size=40))
def test_saying_more_never_loses_a_fact(answer, more):
    facts = [["a"], ["b", "c"]]

    assert score(f"{answer} {more}", facts) >= score(answer, facts)
