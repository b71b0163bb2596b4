import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.workflow.agents.verdict import Sure, Verdict, sure, verdict


@pytest.mark.parametrize(
    ("text", "approved"),
    [
        ('{"approved": true}', True),
        ('```json\n{"approved": false, "remarks": "x"}\n```', False),
        ("{'approved': True, 'remarks': ''}", True),
        ('{"approved": "yes"}', True),
        ('{"approved": "No"}', False),
        ('{"verdict": "REJECTED"}', False),
        ('{"decision": "approve",', True),
        ("APPROVED", True),
        ("**Approved.** Well done.", True),
        ("Rejected: the date is missing", False),
        ("Not approved, because", False),
        ("no", False),
        ("nobody knows", None),
        ("I think it is fine", None),
        ('{"remarks": "fine"}', None),
        ('{"approved": "perhaps"}', None),
        ("", None),
    ],
)
def test_a_verdict_is_read_or_it_is_none(text, approved):
    found = verdict(text)

    assert (None if found is None else found.approved) is approved


def test_a_verdict_carries_what_has_to_change():
    found = verdict('{"approved": false, "remarks": ["a", "b"], "redo": ["t1", 2], "answer": "x"}')

    assert found == Verdict(approved=False, remarks="a\nb", redo=("t1", "2"), answer="x")


@pytest.mark.parametrize(
    ("confidence", "read"),
    [
        ("0.9", 0.9),
        ('"0.9"', 0.9),
        ("90", 0.9),
        ('"90%"', 0.9),
        ("1", 1.0),
        ("0", 0.0),
        ('"high"', None),
        ("-0.5", None),
        ("1000", None),
        ('"nan"', None),
        ("null", None),
    ],
)
def test_a_confidence_is_a_share_or_it_is_unmeasured(confidence, read):
    found = sure('{"answer": "noon", "confidence": ' + confidence + "}")

    assert found == (None if read is None else Sure("noon", read))


def test_a_confidence_without_an_answer_is_none():
    assert sure('{"confidence": 1.0}') is None


@given(st.text())
def test_any_text_is_read_or_is_none(text):
    assert isinstance(verdict(text), Verdict | None)
    assert isinstance(sure("{" + text), Sure | None)
