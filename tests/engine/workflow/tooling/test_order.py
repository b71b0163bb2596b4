from hypothesis import given
from hypothesis import strategies as st

from engine.workflow.tooling.order import Step, filled, ordered

turns = st.lists(st.tuples(st.booleans(), st.sets(st.integers(0, 5), max_size=3)), max_size=6)


def steps_of(turn):
    return {
        number: Step(
            f"c{number}", {"x": [f"{{{{c{other}.result}}}}" for other in sorted(needs)]}, has_effect
        )
        for number, (has_effect, needs) in enumerate(turn)
    }


def everything_before(order, number, seen=()):
    found = set()
    for other in order.waits_for[number]:
        assert other not in seen
        found |= {other} | everything_before(order, other, (*seen, number))
    return found


@given(turns)
def test_no_call_ever_waits_for_itself(turn):
    order = ordered(steps_of(turn))

    for number in range(len(turn)):
        assert number not in everything_before(order, number)


@given(turns)
def test_an_effect_waits_for_all_before_it_and_all_after_wait_for_it(turn):
    order = ordered(steps_of(turn))

    for number, (has_effect, _) in enumerate(turn):
        before = everything_before(order, number)
        effects = {other for other in range(number) if turn[other][0]}
        assert before >= (set(range(number)) if has_effect else effects)


@given(turns)
def test_a_call_that_is_not_refused_waits_for_every_result_it_names(turn):
    order = ordered(steps_of(turn))

    for number, (_, needs) in enumerate(turn):
        if number not in order.refused:
            assert everything_before(order, number) >= needs


def test_reads_without_a_reference_wait_for_nothing():
    order = ordered(steps_of([(False, set()), (False, set())]))

    assert order.waits_for == {0: frozenset(), 1: frozenset()}


def test_a_circle_and_an_unknown_id_are_refused():
    order = ordered(steps_of([(False, {1}), (False, {0}), (False, {5}), (False, {3})]))

    assert 0 in order.refused
    assert 1 not in order.refused
    assert order.refused.keys() == {0, 2, 3}


def test_a_reference_that_stands_alone_keeps_its_type():
    value = {"a": "{{c1.result}}", "b": ["at {{ c1.result }}!"], "c": 1}

    assert filled(value, lambda _: 3) == {"a": 3, "b": ["at 3!"], "c": 1}
