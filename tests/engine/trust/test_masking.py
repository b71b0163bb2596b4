import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.observability import SENSITIVE, Masking
from engine.trust.masking import DEEPEST, HIDDEN, Mask

MASK = Mask()
ROOT = Path(__file__).parents[3]
SECRETS = {
    "Authorization: Bearer abc123.def-456": "Authorization: Bearer [key]",
    "key sk-proj-a1b2c3d4e5f6g7h8i9j0 leaked": "key [key] leaked",
    "AKIAABCDEFGHIJKLMNOP": "[key]",
    "ghp_abcdefghijklmnopqrst0123456789": "[key]",
    "eyJhbGciOiJIUzI1.eyJzdWIiOiIx.c2lnbmF0dXJl": "[key]",
    "postgresql://me:hunter2@db/x": "postgresql://[key]@db/x",
    'set password="tr0ub4dor" now': 'set password="[key]" now',
    "-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----": "[key]",
    "write to ada.lovelace+x@mail.example.co.uk!": "write to [email]!",
    "pay with 4111 1111 1111 1111, please": "pay with [card], please",
    "5555-5555-5555-4444": "[card]",
    "378282246310005": "[card]",
    "SSN 078-05-1120.": "SSN [id].",
    "11010519491231002X": "[id]",
    "GB82 WEST 1234 5698 7654 32": "[id]",
    "DE89370400440532013000": "[id]",
    "call +47 22 12 34 56 today": "call [phone] today",
    "call (555) 234-5678": "call [phone]",
    "555-234-5678": "[phone]",
    "13812345678": "[phone]",
    "+1 (415) 555-2671": "[phone]",
    "+33 6 12 34 56 78": "[phone]",
}
PROSE = (
    "PEP 634 took 3.10 out of 2020-02-12T10:11:12 into 2021-10-04.",
    "The result is 1234567890123 bytes, 1.7976931348623157e+308 at most.",
    "Set token: NAME, then secret sauce; bearer of news.",
    "f(x) + 12 - 345 - 678 == 0x7fffffffffffffff",
    "order 4111 1111 1111 1112 has no valid check digit",
    "Decimal('+35236450.6') and +12345678901234567890",
    "matrix @ vector, @decorator, user@localhost",
    "trace 4f2a9c1e8b7d4f2a9c1e8b7d4f2a9c1e.0123456789abcdef at 1763719200.123456",
    "ISBN 978-3-16-148410-0, version 555.234.56",
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=20,
)
pieces = st.sampled_from([*SECRETS, *PROSE, "@", "+", "-", ".", "_", " ", "://", "[key]", "1", "a"])


@pytest.mark.parametrize(("text", "masked"), SECRETS.items())
def test_what_has_a_sensitive_shape_is_named_in_its_place(text, masked):
    assert MASK.text(text) == masked


@pytest.mark.parametrize("text", PROSE)
def test_ordinary_text_is_left_alone(text):
    assert MASK.text(text) == text


@given(st.lists(pieces, max_size=12).map("".join) | st.text())
def test_masking_twice_changes_nothing_more(text):
    once = MASK.text(text)

    assert MASK.text(once) == once


@given(anything)
def test_masking_any_value_never_raises_and_is_stable(value):
    once = MASK.value(value)

    assert repr(MASK.value(once)) == repr(once)


@given(st.text(alphabet=st.characters(exclude_categories=["N"], exclude_characters="@:-+")))
def test_a_text_without_digits_or_signs_is_left_alone(text):
    if "bearer" not in text.lower():
        assert MASK.text(text) == text


@given(st.lists(st.integers(0, 9), min_size=15, max_size=15))
def test_a_number_is_a_card_only_with_its_check_digit(digits):
    number = "4" + "".join(map(str, digits))
    doubled = [sum(divmod(2 * int(one), 10)) for one in number[-2::-2]]
    is_card = (sum(map(int, number[-1::-2])) + sum(doubled)) % 10 == 0

    assert MASK.text(f"no. {number}") == ("no. [card]" if is_card else f"no. {number}")


@given(st.integers(0, 2**128 - 1), st.integers(0, 2**64 - 1))
def test_our_own_ids_are_left_alone(number, signature):
    trace_id = f"{number:032x}.{signature:016x}"
    has_letters = any(part.strip("0123456789") for part in trace_id.split("."))

    assert MASK.text(trace_id) == trace_id or not has_letters


def test_a_fields_name_hides_its_value_whole():
    said = {
        "db_password": "correct horse",
        "Api-Key": ["x"],
        "input_tokens": 12,
        "max_token_count": 3,
        "nested": [{"cookie": "a=b", "note": "mail a@b.example"}],
        "token": None,
    }

    assert MASK.value(said) == {
        "db_password": HIDDEN,
        "Api-Key": HIDDEN,
        "input_tokens": 12,
        "max_token_count": 3,
        "nested": [{"cookie": HIDDEN, "note": "mail [email]"}],
        "token": None,
    }


def test_what_lies_too_deep_is_hidden():
    deep = ["a@b.example"]
    for _ in range(3 * DEEPEST):
        deep = [deep]

    assert "b.example" not in repr(MASK.value(deep))


@pytest.mark.parametrize("kind", SENSITIVE)
def test_only_the_chosen_kinds_are_masked(kind):
    mask = Mask(Masking(kinds=(kind,)))

    found = {text for text in SECRETS if mask.text(text) != text}

    assert found == {text for text, masked in SECRETS.items() if f"[{kind}]" in masked}


@pytest.mark.parametrize(
    "text",
    ["a@b.co_" * 5_000, "secret=" * 10_000, "bearer " * 10_000, "://:" * 10_000, "4 " * 20_000],
)
def test_a_text_made_to_keep_us_busy_comes_to_an_end(text):
    masked = MASK.text(text)

    assert "b.co" not in masked


def test_the_demos_questions_hold_nothing_sensitive():
    lines = (ROOT / "configs/demo/questions.jsonl").read_text(encoding="utf-8").splitlines()
    questions = [json.loads(line)["question"] for line in lines]

    assert [one for one in questions if MASK.text(one) != one] == []
