import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.workflow.model.events import Events

WRITTEN = (
    'data: {"a": 1}\n\n: a comment\n\nevent: x\r\ndata:ü\r\ndata: 2\r\n\r\n'
    "id: 7\n\ndata: [DONE]\n\n"
)
SAID = [b'{"a": 1}', "ü\n2".encode(), b"[DONE]"]


@given(st.sets(st.integers(1, len(WRITTEN.encode()) - 1)))
def test_events_are_the_same_however_their_bytes_are_cut(cuts):
    content, events, said = WRITTEN.encode(), Events(), []

    for start, end in itertools.pairwise([0, *sorted(cuts), len(content)]):
        said += events.take(content[start:end])

    assert said == SAID


@given(st.lists(st.binary(max_size=20)))
def test_no_bytes_are_wrong(blocks):
    events = Events()

    for block in blocks:
        assert all(isinstance(said, bytes) for said in events.take(block))


UNTOLD = [b"data: half", b"data: half\n", b"", b"no field\n\n", b"data:\n\n"]


@pytest.mark.parametrize("written", UNTOLD)
def test_an_event_that_says_nothing_or_has_not_ended_is_not_told(written):
    assert Events().take(written) == []
