import asyncio

import pytest

from engine.books.compactor import Compactor
from engine.books.store import Store
from engine.errors import BookError
from serve_apps.recorder import Recorder
from tests.engine.books.facts import exposure, score, trace


@pytest.fixture
def recorder(tmp_path):
    recorder = Recorder(tmp_path)
    yield recorder
    recorder.close()


def stored(root, kind):
    compactor = Compactor(root)
    compactor.step(1.0)
    compactor.close()
    return Store(root).read(kind)


async def test_what_is_awaited_can_be_shipped(tmp_path, recorder):
    async with asyncio.TaskGroup() as group:
        for number in range(100):
            group.create_task(recorder.exposure(exposure(f"t{number}")))
            group.create_task(recorder.trace(trace(f"t{number}")))

    assert stored(tmp_path, "exposure")["trace_id"].n_unique() == 100
    assert stored(tmp_path, "trace")["writer"].n_unique() == 1
    assert recorder.lost_traces == 0


async def test_each_item_of_feedback_hears_what_became_of_it(recorder):
    first = await recorder.feedback([score("a", 1.0), score("b", 0.0)])
    again = await recorder.feedback([score("a", 1.0), score("b", 0.5), score("c")])

    assert first == ["stored", "stored"]
    assert again == ["duplicate", "conflict", "stored"]


async def test_closing_drains_what_was_handed_over(tmp_path):
    recorder = Recorder(tmp_path)
    waiting = asyncio.ensure_future(recorder.exposure(exposure("t")))
    await asyncio.sleep(0)

    recorder.close()
    await waiting

    assert stored(tmp_path, "exposure")["trace_id"].to_list() == ["t"]
    with pytest.raises(BookError, match="closed"):
        await recorder.exposure(exposure("late"))
