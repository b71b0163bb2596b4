import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.workflow.calculator import ExpressionError, calculate
from serve_apps.embedded.arithmetic import expression

whole = st.integers(0, 10**6)


@pytest.mark.parametrize(
    ("question", "value"),
    [
        ("What is 37 * 41 + 12?", 1529),
        ("Please work out (4820 - 365) / 5 for me.", 891),
        ("17**3 = ?", 4913),
        ("Twelve at 149 each: 12 * 149 - 88. What did I pay?", 1700),
        ("How much is 15 percent of 2,480?", 372),
        ("How much is 20% of 50?", 10),
        ("Compute the sum of 333, 4444 and 55555.", 60332),
        ("Give me the product of 46 and 83.", 3818),
        ("What is the average of 2, 4 and 9?", 5),
        ("What is the difference between 90 and 48?", 42),
        ("What is the square root of 144?", 12),
        ("What is 6 times 7 minus 2?", 40),
        ("What is 2 to the power of 10?", 1024),
        ("What is 90 divided by 4?", 22.5),
        ("What is the remainder of 17 divided by 5?", 2),
        ("Is (3 + 4) * 2 right (I think so)?", 14),
    ],
)
def test_a_calculation_is_found_in_words_and_signs(question, value):
    assert calculate(expression(question)) == value


@pytest.mark.parametrize(
    "question", ["What does PEP 3119 say?", "What is a lambda?", "Is 3.11 new?", "", "What is -x?"]
)
def test_what_asks_for_no_calculation_gives_none(question):
    assert expression(question) is None


@given(whole, st.sampled_from(["+", "-", "*", "//", "%"]), st.integers(1, 999))
def test_a_written_calculation_keeps_its_value(a, sign, b):
    found = expression(f"What is {a:,} {sign} {b}?")

    assert calculate(found) == eval(f"{a} {sign} {b}")


@given(st.text("0123456789+-*/%(). ,", max_size=40))
def test_whatever_is_found_is_safe_to_evaluate(text):
    found = expression(text)

    assert found is None or is_number_or_refused(found)


def is_number_or_refused(found: str) -> bool:
    """Whether the calculator answers with a number or its own error, and with nothing else."""
    try:
        return isinstance(calculate(found), int | float)
    except ExpressionError:
        return True
