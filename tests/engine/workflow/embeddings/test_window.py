import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.workflow.embeddings.window import MOST_S, Window

fullnesses = st.lists(st.floats(0.0, 50.0), max_size=30)


def after(fullnesses, gap_s=0.001):
    window = Window()
    for n, fullness in enumerate(fullnesses):
        window.saw(fullness, n * gap_s)
    return window, max(0, len(fullnesses) - 1) * gap_s


@given(fullnesses, st.floats(0.0, 10.0))
def test_a_window_stays_within_its_bound(seen, later_s):
    window, now = after(seen)

    assert 0.0 <= window.wait_s(now + later_s) <= MOST_S


@given(fullnesses, st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_it_only_narrows_while_nothing_comes(seen, one_s, other_s):
    window, now = after(seen)
    sooner, later = sorted((one_s, other_s))

    assert window.wait_s(now + later) <= window.wait_s(now + sooner)


def test_it_widens_while_batches_are_full():
    window, now = after([1.0] * 10)

    assert window.wait_s(now) == pytest.approx(MOST_S, rel=0.02)


def test_lone_texts_close_it():
    window, now = after([1.0] * 10 + [0.0] * 10)

    assert window.wait_s(now) == 0.0


def test_after_a_pause_the_first_text_goes_at_once():
    window, now = after([1.0] * 10)

    assert window.wait_s(now + 1.0) == 0.0


def test_a_new_window_is_closed():
    assert Window().wait_s(1_000.0) == 0.0
