"""From the decision to try a variant to its first answer, in a slot whose process is warm."""

import asyncio
import time

import aiohttp
import numpy as np

from cluster.bench.rows import Row, judged
from cluster.bench.serving.ground import Ground
from cluster.bench.serving.rounds import QUESTION
from cluster.bench.serving.splitting import splitting
from cluster.session import control
from engine.config.workflow import Workflow
from serve_apps.deploy import wait_until_seated

TIMES, QUICK_TIMES = 15, 5
GOAL = "<= 450"
LOOK_S = 0.005
GIVE_UP_S = 30.0


def measure(ground: Ground) -> list[Row]:
    """One candidate after another is opened and asked for by name until it answers."""
    times = QUICK_TIMES if ground.setting.quick else TIMES
    made = []
    for workflow in (ground.slot, ground.inline):
        name = workflow.deploy.placement
        found_ms = asyncio.run(_seated(ground, workflow, times))
        what = f"{name}: from the ledger to a new variant's first answer"
        for short, quantile in (("p50", 50), ("p99", 99)):
            row = Row(
                id=f"seating-{name}-{short}",
                what=f"{what}, {short} of {times}",
                value=float(np.percentile(found_ms, quantile)),
                unit="ms",
                goal=GOAL if short == "p50" else None,
            )
            made.append(judged(row))
    return made


async def _seated(ground: Ground, workflow: Workflow, times: int) -> list[float]:
    found_ms = []
    with splitting(ground.root, workflow) as splits:
        async with aiohttp.ClientSession() as http:
            for _ in range(times):
                splits.close()
                began = time.perf_counter()
                seq = splits.open()
                await _answered(http, ground, workflow, splits.window.candidate)
                found_ms.append(1e3 * (time.perf_counter() - began))
                wait_until_seated(control(), workflow.workflow, seq)
    return found_ms


async def _answered(
    http: aiohttp.ClientSession, ground: Ground, workflow: Workflow, candidate: str
) -> None:
    """Ask this candidate until it answers."""
    body = {"model": workflow.workflow, "messages": [{"role": "user", "content": QUESTION}]}
    headers = {"x-trimtab-variant": candidate}
    async with asyncio.timeout(GIVE_UP_S):
        while True:
            async with http.post(ground.of(workflow).url, json=body, headers=headers) as response:
                await response.read()
                if response.status == 200:
                    return
            await asyncio.sleep(LOOK_S)
