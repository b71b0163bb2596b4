"""Measures the batching embedder against its bare encoder, and the rate at each batch size.

Run it as `OMP_NUM_THREADS=1 python -m tests.bench.embedder`.
"""

import asyncio
import json
import statistics
import time

from engine.workflow.embedding import MiniLm
from engine.workflow.embeddings.batcher import Batcher
from engine.workflow.embeddings.minilm import Encoder
from engine.workflow.embeddings.sweep import best, swept

CALLERS = 64
ROUNDS = 9
WORDS = [
    "how",
    "do",
    "i",
    "sort",
    "a",
    "list",
    "of",
    "names",
    "by",
    "their",
    "length",
    "in",
    "python",
    "without",
    "a",
    "loop",
]


def questions(turn):
    """As many questions as callers, of 4 to 15 words, none of them asked before."""
    return [
        f"{turn} {n} " + " ".join(WORDS[k % len(WORDS)] for k in range(n, n + 4 + n % 12))
        for n in range(CALLERS)
    ]


async def asked(batcher, texts):
    async with asyncio.TaskGroup() as group:
        for text in texts:
            group.create_task(batcher([text]))


async def compared(encoder):
    """The share of the bare encoder's rate, round by round so that both meet the same load."""
    batcher = Batcher(encoder.encode)
    await batcher.warm_up()
    shares, rates = [], []
    for turn in range(ROUNDS):
        texts = questions(turn)
        began = time.perf_counter()
        await asyncio.to_thread(encoder.encode, texts)
        bare_s = time.perf_counter() - began
        began = time.perf_counter()
        await asked(batcher, texts)
        own_s = time.perf_counter() - began
        shares.append(bare_s / own_s)
        rates.append(CALLERS / own_s)
    size = batcher.size
    await batcher.close()
    return {
        "share_of_bare": round(statistics.median(shares), 3),
        "texts_per_s": round(statistics.median(rates)),
        "size": size,
    }


def measure():
    rows = []
    encoders = {
        "usual (sentence-transformers)": MiniLm(),
        "one pass": Encoder(),
        "one pass, half the bits": Encoder(half=True),
    }
    for name, encoder in encoders.items():
        rates = swept(encoder.encode)
        sweep = {rate.size: round(rate.texts_per_s) for rate in rates}
        rows.append({"what": f"{name}: sweep", "texts_per_s": sweep, "best": best(rates)})
        figures = asyncio.run(compared(encoder))
        rows.append({"what": f"{name}: 64 callers", **figures, "goal_share": 0.85})
    return rows


if __name__ == "__main__":
    for row in measure():
        print(json.dumps(row))  # noqa: T201
