import pytest

from engine.errors import LedgerCorruptError
from engine.experiment.entries import KINDS, decision_of
from tests.engine.experiment.examples import (
    BEGUN,
    KEPT,
    Line,
    added,
    by_hand,
    closed,
    ended,
    holdback_closed,
    holdback_narrowed,
    lines,
    opened,
    reallocated,
    rolled_back,
)

EVERY = (
    *KEPT,
    added(),
    reallocated({"w1": 1}),
    closed(),
    rolled_back(),
    holdback_narrowed(),
    holdback_closed(),
    ended(),
    by_hand(),
)


@pytest.mark.parametrize("decision", EVERY, ids=lambda decision: type(decision).__name__)
def test_a_decision_reads_back_as_itself(decision):
    line = lines(decision)[0]

    assert decision_of(line) == decision


def test_every_kind_is_among_the_examples():
    assert {type(decision).__name__ for decision in EVERY} == set(KINDS)


def test_an_unknown_kind_is_refused_by_number_and_name():
    with pytest.raises(LedgerCorruptError, match="entry 5: unknown kind 'Guessed'") as refused:
        decision_of(Line(5, "Guessed", {}))

    assert refused.value.seq == 5


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("alpha", 0.0),
        ("alpha", 1.0),
        ("alpha", float("nan")),
        ("f0", -0.1),
        ("f0", 1.1),
        ("share", 0.5),
        ("share", "many"),
        ("baseline", None),
        ("mood", "good"),
        ("lease_s", float("inf")),
    ],
)
def test_a_body_that_is_not_of_its_kind_is_refused(field, value):
    line = lines(*BEGUN, opened())[-1]

    with pytest.raises(LedgerCorruptError, match=rf"(?s)entry 3: not a WindowOpened.*{field}"):
        decision_of(Line(line.seq, line.kind, line.body | {field: value}))


@pytest.mark.parametrize("missing", ["window", "candidate", "alpha", "f0", "lease_s"])
def test_nothing_may_be_left_out(missing):
    line = lines(*BEGUN, opened())[-1]
    body = {field: value for field, value in line.body.items() if field != missing}

    with pytest.raises(LedgerCorruptError, match=missing):
        decision_of(Line(line.seq, line.kind, body))
