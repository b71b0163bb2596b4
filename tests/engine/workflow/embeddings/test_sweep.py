import numpy as np
import pytest

from engine.workflow.embeddings.sweep import SIZES, best, swept


class Machine:
    """An encoder with a clock of its own: a call costs, a text costs, and so much fits at once."""

    def __init__(self, call_s, text_s, at_once):
        self.now, self.asked = 0.0, []
        self.call_s, self.text_s, self.at_once = call_s, text_s, at_once

    def encode(self, texts):
        self.asked.append(len(texts))
        self.now += self.call_s + self.text_s * -(-len(texts) // self.at_once)
        return np.zeros((len(texts), 2), dtype=np.float32)

    def rates(self):
        return swept(self.encode, clock=lambda: self.now)


def test_a_machine_that_gains_by_every_size_is_asked_for_all_of_them():
    rates = Machine(0.0, 0.01, at_once=64).rates()

    assert [rate.size for rate in rates] == list(SIZES)
    assert best(rates) == SIZES[-1]


def test_where_larger_batches_gain_nothing_the_largest_are_not_tried():
    machine = Machine(0.0, 0.01, at_once=1)

    rates = machine.rates()

    assert best(rates) == 1
    assert max(machine.asked) == 16


@pytest.mark.parametrize("at_once", [2, 4, 8, 16])
def test_the_smallest_of_the_quickest_sizes_is_the_best(at_once):
    rates = Machine(0.0, 0.01, at_once=at_once).rates()

    assert best(rates) == at_once


def test_a_call_that_costs_is_worth_batches_of_many():
    assert best(Machine(0.1, 0.001, at_once=1).rates()) == 64
