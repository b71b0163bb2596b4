"""The batching embedder beside its bare encoder, and the encoder's rate at each batch size."""

import asyncio
import time
from collections.abc import Sequence

from cluster.bench.rows import Row, compared, judged
from cluster.bench.runtime.timing import spread
from engine.workflow.embeddings.batcher import Batcher
from engine.workflow.embeddings.minilm import Encoder
from engine.workflow.embeddings.sweep import Encode, best

CALLERS = 64
GOAL = ">= 0.85"
TEXT = "how do i sort a list of names by their length in python without a loop"


def measure(*, quick: bool) -> list[Row]:
    """Of the encoder that is served."""
    return asyncio.run(_measured(Encoder().encode, rounds=6 if quick else 15))


async def _measured(encode: Encode, rounds: int) -> list[Row]:
    batcher = Batcher(encode)
    sweep = await batcher.warm_up()
    rows = [
        Row(
            id=f"embedder-{rate.size}",
            what=f"batches of {rate.size}",
            value=rate.texts_per_s,
            unit="texts/s",
        )
        for rate in sweep
    ]
    chosen = Row(id="embedder-size", what="the size chosen", value=best(sweep), unit="texts")
    shares: list[float] = []
    rates: list[float] = []
    bare: list[float] = []
    for turn in range(rounds):
        bare_s, own_s = await _bare_and_own(encode, batcher, questions(turn))
        shares.append(bare_s / own_s)
        rates.append(CALLERS / own_s)
        bare.append(CALLERS / bare_s)
    await batcher.close()
    share = spread(shares)
    name = f"{CALLERS} callers at once, a text each"
    rate = Row(id="embedder-rate", what=name, value=spread(rates).median, unit="texts/s")
    ratio = Row(
        id="embedder-share",
        what=f"{name}: of the bare encoder's rate, given them by length in batches of that size",
        value=share.median,
        low=share.low,
        high=share.high,
        unit="",
        goal=GOAL,
    )
    return [*rows, chosen, compared(rate, spread(bare).median), judged(ratio)]


async def _bare_and_own(
    encode: Encode, batcher: Batcher, texts: Sequence[str]
) -> tuple[float, float]:
    # The encoder at its best: like lengths together, in batches of the size that was chosen.
    ordered = sorted(texts, key=len)
    began = time.perf_counter()
    for start in range(0, len(ordered), batcher.size):
        await asyncio.to_thread(encode, ordered[start : start + batcher.size])
    bare_s = time.perf_counter() - began
    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for text in texts:
            group.create_task(batcher([text]))
    return bare_s, time.perf_counter() - began


def questions(turn: int) -> list[str]:
    """As many questions as callers, of 4 to 15 words, none of them asked before."""
    words = TEXT.split()
    return [
        f"{turn} {n} " + " ".join(words[k % len(words)] for k in range(n, n + 4 + n % 12))
        for n in range(CALLERS)
    ]
