"""Puts the texts of callers that come together into batches for one encoder."""

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from engine.errors import UnmeasuredError
from engine.workflow.embedding import FloatArray
from engine.workflow.embeddings.sweep import Encode, Swept, best, swept
from engine.workflow.embeddings.window import MOST_S, Window

USUAL_SIZE = 16
"""Texts of a batch, before a sweep said better."""


@dataclass(frozen=True)
class Batched:
    """What a batcher did so far."""

    texts: int = 0
    """Asked for; those that another caller waited for already are among them."""
    encoded: int = 0
    batches: int = 0
    failures: int = 0


@dataclass
class _Wanted:
    text: str
    vector: asyncio.Future[FloatArray]
    callers: int = 0


class Batcher:
    """An `Embed` in front of an encoder that blocks; one batch is encoded at a time.

    What comes while the encoder works waits for it, so a busy encoder fills its batches by itself.
    An idle one begins at once, unless its last batches were shared: then others are likely to be
    on their way, and its window says how long it waits for them. Texts of like length go together,
    and a text that several callers want is encoded once.
    """

    def __init__(
        self, encode: Encode, *, size: int = USUAL_SIZE, most_wait_s: float = MOST_S
    ) -> None:
        self._encode = encode
        self._size = size
        self._window = Window(most_wait_s)
        # One thread: a CPU gains nothing from two encodings at once.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="encoder")
        self._known: dict[str, _Wanted] = {}
        self._queue: list[_Wanted] = []
        self._full = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None
        self._counts = Batched()

    async def __call__(self, texts: Sequence[str]) -> FloatArray:
        """Unit-norm vectors, one row a text; an encoder's failure is raised as it is."""
        wanted = [self._wanted(text) for text in texts]
        if not wanted:
            raise UnmeasuredError("embedding: no texts were given; give one at least")
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        try:
            # It leaves the vectors alone when the caller goes away: others may wait for them too.
            await asyncio.wait({each.vector for each in wanted})
        finally:
            for each in wanted:
                each.callers -= 1
        return np.stack([each.vector.result() for each in wanted])

    async def warm_up(self) -> list[Swept]:
        """Measure the encoder at every batch size, and go on with the best one."""
        loop = asyncio.get_running_loop()
        rates = await loop.run_in_executor(self._thread, swept, self._encode)
        self._size = best(rates)
        return rates

    @property
    def size(self) -> int:
        """Texts of a batch, at most."""
        return self._size

    def counts(self) -> Batched:
        """What was done so far."""
        return self._counts

    async def close(self) -> None:
        """End the encoder's thread; who still waits is cancelled."""
        if self._worker is not None:
            self._worker.cancel()
        for each in self._known.values():
            each.vector.cancel()
        self._thread.shutdown(wait=False)

    def _wanted(self, text: str) -> _Wanted:
        wanted = self._known.get(text)
        if wanted is None:
            wanted = _Wanted(text, asyncio.get_running_loop().create_future())
            self._known[text] = wanted
            self._queue.append(wanted)
            if len(self._queue) >= self._size:
                self._full.set()
        wanted.callers += 1
        self._counts = replace(self._counts, texts=self._counts.texts + 1)
        return wanted

    async def _work(self) -> None:
        while self._queue:
            await self._others()
            # All that wait are taken, so that a long text is not passed over for ever.
            taken = sorted(self._queue, key=lambda each: len(each.text))
            self._queue.clear()
            self._full.clear()
            for start in range(0, len(taken), self._size):
                await self._deliver(taken[start : start + self._size])
            # What others shared counts from when it was done: an encoder at work is not idle.
            self._window.saw((len(taken) - 1) / self._size, time.monotonic())

    async def _others(self) -> None:
        wait_s = self._window.wait_s(time.monotonic())
        if len(self._queue) < self._size and wait_s:
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._full.wait()

    async def _deliver(self, batch: Sequence[_Wanted]) -> None:
        live = [each for each in batch if each.callers]
        for each in batch:
            if not each.callers:
                del self._known[each.text]
        if not live:
            return
        outcome = await self._encoded([each.text for each in live])
        if isinstance(outcome, BaseException) and len(live) > 1:
            # One text may spoil a batch: alone, each has its own failure.
            for each in live:
                await self._deliver([each])
            return
        for place, each in enumerate(live):
            del self._known[each.text]
            if isinstance(outcome, BaseException):
                each.vector.set_exception(outcome)
                # Whether anyone still waits to see it or not, it was seen.
                each.vector.exception()
            else:
                each.vector.set_result(outcome[place])

    async def _encoded(self, texts: list[str]) -> FloatArray | BaseException:
        job = asyncio.get_running_loop().run_in_executor(self._thread, self._encode, texts)
        await asyncio.wait([job])
        done = self._counts
        self._counts = replace(done, encoded=done.encoded + len(texts), batches=done.batches + 1)
        failure = job.exception()
        if failure is None and len(job.result()) != len(texts):
            rows = len(job.result())
            failure = UnmeasuredError(f"embedding: {len(texts)} texts, {rows} vectors")
        if failure is not None:
            self._counts = replace(self._counts, failures=done.failures + 1)
            return failure
        return job.result()
