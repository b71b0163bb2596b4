import asyncio
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import UnmeasuredError
from engine.workflow.embeddings.batcher import Batcher
from engine.workflow.embeddings.sweep import Swept, best, swept


def vector(text):
    return np.array([len(text), sum(map(ord, text)) % 97], np.float32)


class Encoder:
    """Keeps the batches that it was given; works on while `gate` is open."""

    def __init__(self):
        self.batches = []
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, texts):
        self.gate.wait(5.0)
        self.batches.append(list(texts))
        if "poison" in texts:
            raise ValueError("poison")
        return np.stack([vector(text) for text in texts])


async def together(batcher, texts):
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(batcher([text])) for text in texts]
    return [task.result()[0] for task in tasks]


@pytest.fixture
def encoder():
    return Encoder()


@pytest.fixture
async def batcher(encoder):
    made = Batcher(encoder, size=8)
    yield made
    await made.close()


async def test_callers_that_come_together_share_a_batch(encoder, batcher):
    texts = [f"text {n}" for n in range(8)]

    vectors = await together(batcher, texts)

    assert len(encoder.batches) == 1
    np.testing.assert_array_equal(vectors, [vector(text) for text in texts])


async def test_no_batch_is_larger_than_its_size(encoder, batcher):
    await together(batcher, [f"text {n}" for n in range(50)])

    assert max(map(len, encoder.batches)) == 8
    assert batcher.counts().encoded == 50


async def test_texts_of_like_length_go_together(encoder, batcher):
    await together(batcher, ["x" * n for n in (1, 90, 2, 80, 3, 70, 4, 60, 5, 50, 6, 40)])

    lengths = [[len(text) for text in batch] for batch in encoder.batches]
    assert lengths == [[1, 2, 3, 4, 5, 6, 40, 50], [60, 70, 80, 90]]


async def test_a_text_that_several_want_is_encoded_once(encoder, batcher):
    vectors = await together(batcher, ["same"] * 20)

    assert encoder.batches == [["same"]]
    assert all((each == vector("same")).all() for each in vectors)
    assert batcher.counts().texts == 20


async def test_a_caller_gets_its_rows_in_its_order(batcher):
    texts = ["ccc", "a", "bb", "a"]

    vectors = await batcher(texts)

    np.testing.assert_array_equal(vectors, [vector(text) for text in texts])


async def test_a_caller_that_goes_away_harms_nobody(encoder, batcher):
    encoder.gate.clear()
    first = asyncio.create_task(batcher(["busy"]))
    await asyncio.sleep(0.02)
    leaving, staying = (asyncio.create_task(batcher(["shared", "own"])) for _ in range(2))
    await asyncio.sleep(0.02)

    leaving.cancel()
    encoder.gate.set()

    assert (await staying)[0].tolist() == vector("shared").tolist()
    await first
    assert leaving.cancelled()


async def test_what_nobody_waits_for_any_more_is_not_encoded(encoder, batcher):
    encoder.gate.clear()
    first = asyncio.create_task(batcher(["busy"]))
    await asyncio.sleep(0.02)
    leaving = asyncio.create_task(batcher(["left"]))
    await asyncio.sleep(0.02)

    leaving.cancel()
    await asyncio.sleep(0)
    encoder.gate.set()
    await first
    await batcher(["left"])

    assert encoder.batches == [["busy"], ["left"]]


async def test_a_failure_reaches_exactly_those_who_wait_for_that_text(batcher):
    tasks = [
        asyncio.create_task(batcher(texts)) for texts in (["a"], ["poison"], ["b"], ["c", "poison"])
    ]

    await asyncio.wait(tasks)

    assert [bool(task.exception()) for task in tasks] == [False, True, False, True]
    assert isinstance(tasks[1].exception(), ValueError)


async def test_after_a_failure_it_goes_on(batcher):
    with pytest.raises(ValueError, match="poison"):
        await batcher(["poison"])

    assert (await batcher(["fine"]))[0].tolist() == vector("fine").tolist()


async def test_an_encoder_that_loses_rows_is_an_error():
    batcher = Batcher(lambda texts: np.zeros((0, 2), np.float32))

    with pytest.raises(UnmeasuredError, match="1 texts, 0 vectors"):
        await batcher(["a"])
    await batcher.close()


async def test_no_texts_are_an_error(batcher):
    with pytest.raises(UnmeasuredError, match="no texts"):
        await batcher([])


async def test_closing_cancels_those_who_wait(encoder):
    batcher = Batcher(encoder)
    encoder.gate.clear()
    waiting = asyncio.create_task(batcher(["a"]))
    await asyncio.sleep(0.02)

    await batcher.close()
    encoder.gate.set()

    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_warming_up_chooses_the_size():
    batcher = Batcher(Encoder())

    rates = await batcher.warm_up()

    assert [rate.size for rate in rates] == [1, 2, 4, 8, 16, 32, 64]
    assert batcher.size == best(rates)
    await batcher.close()


def test_the_smallest_size_that_is_nearly_the_quickest_is_best():
    assert best([Swept(1, 10.0), Swept(8, 98.0), Swept(64, 100.0)]) == 8


def test_a_sweep_takes_the_quickest_round():
    ticks = iter([0.0, 3.0, 10.0, 11.0, 20.0, 22.0])

    rates = swept(Encoder(), sizes=(4,), clock=lambda: next(ticks))

    assert rates == [Swept(4, 4.0)]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.text(max_size=8), min_size=1, max_size=5), min_size=1, max_size=12))
async def test_each_caller_gets_its_own_vectors(calls):
    batcher = Batcher(Encoder(), size=3)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(batcher(texts)) for texts in calls]

    for texts, task in zip(calls, tasks, strict=True):
        np.testing.assert_array_equal(task.result(), [vector(text) for text in texts])
    await batcher.close()
