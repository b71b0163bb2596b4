"""Variants swapped and shares moved under load: nobody may notice, and soon everybody has them."""

import asyncio
import json
import time
from collections.abc import Callable
from functools import partial

import numpy as np

from cluster.bench.load import Load, loading, stopped
from cluster.bench.rows import Row, judged
from cluster.bench.serving.ground import Ground
from cluster.bench.serving.rounds import QUESTION
from cluster.bench.serving.splitting import SHARE, Splitting, splitting
from cluster.bench.serving.watching import in_force_ms
from cluster.session import control
from engine.config.workflow import Workflow
from engine.experiment.split import BUCKETS
from serve_apps.deploy import wait_until_seated

SWAPS, QUICK_SWAPS = 50, 8
SHARES, QUICK_SHARES = 500, 40
QUIET = 20
CONNECTIONS = 8
MOST_S = 600.0
WIDE = BUCKETS // 5 * 2
"""Both variants keep as many replicas as at `SHARE`: what is timed is the news, not a process."""
GROWN = BUCKETS // 5 * 4
"""The candidate needs a second replica, which must be ready before anybody is sent to it."""
GOAL_MS = 200.0


def measure(ground: Ground) -> list[Row]:
    """In both placements."""
    return [row for workflow in (ground.slot, ground.inline) for row in _measured(ground, workflow)]


def _measured(ground: Ground, workflow: Workflow) -> list[Row]:
    name, quick = workflow.deploy.placement, ground.setting.quick
    swaps, moves = (QUICK_SWAPS, QUICK_SHARES) if quick else (SWAPS, SHARES)
    with splitting(ground.root, workflow) as splits:
        quiet_ms = _moved(ground, workflow, splits, WIDE, QUIET)
        grown_ms = _moved(ground, workflow, splits, GROWN, 2)[:1]
        swapping = _under_load(ground, workflow, lambda: _swapped(workflow, splits, swaps))
        busy_ms: list[float] = []
        moving = _under_load(
            ground, workflow, lambda: busy_ms.extend(_moved(ground, workflow, splits, WIDE, moves))
        )
    return [
        failures(f"changes-{name}-swaps", f"{name}: a variant swapped {swaps} times", swapping),
        failures(f"changes-{name}-shares", f"{name}: a share moved {moves} times", moving),
        *in_force(f"changes-{name}-quiet", f"{name}: from the ledger to the traffic", quiet_ms),
        Row(
            id=f"changes-{name}-grown",
            what=f"{name}: the same for a share that takes another replica",
            value=grown_ms[0],
            unit="ms",
        ),
        *in_force(f"changes-{name}-busy", f"{name}: the same under load", busy_ms, goal=None),
    ]


def failures(id_: str, what: str, load: Load) -> Row:
    """How many requests of the load beside it failed; none may."""
    why = f", the first: {' '.join(load.first_error.split())[:120]}" if load.errors else ""
    whole = f"{what} under load: failed of {load.requests + load.errors} requests{why}"
    value = load.errors if load.requests else None
    return judged(Row(id=id_, what=whole, value=value, unit="", goal="<= 0"))


def in_force(
    id_: str, what: str, found_ms: list[float], goal: str | None = f"<= {GOAL_MS:g}"
) -> list[Row]:
    """How long a changed share takes until no request is answered by the former one."""
    p50, p99 = (float(np.percentile(found_ms, quantile)) for quantile in (50, 99))
    return [
        judged(Row(id=f"{id_}-p50", what=f"{what}, p50", value=p50, unit="ms", goal=goal)),
        Row(id=f"{id_}-p99", what=f"{what}, p99", value=p99, unit="ms"),
    ]


def _under_load(ground: Ground, workflow: Workflow, change: Callable[[], None]) -> Load:
    with loading(ground.of(workflow).ask(CONNECTIONS, MOST_S)) as process:
        time.sleep(1.0)
        change()
        return stopped(process)


def _swapped(workflow: Workflow, splits: Splitting, times: int) -> None:
    for _ in range(times):
        splits.close()
        wait_until_seated(control(), workflow.workflow, splits.open())


def _moved(
    ground: Ground, workflow: Workflow, splits: Splitting, widest: int, times: int
) -> list[float]:
    """Widen the share and narrow it again, this many changes in all."""
    unit = splits.unit_between(SHARE, widest)
    target = ground.of(workflow)
    body = json.dumps({"model": target.model, "messages": [{"role": "user", "content": QUESTION}]})
    found_ms = []
    for turn in range(times):
        wide = turn % 2 == 0
        expected = splits.window.candidate if wide else splits.window.baseline
        share = widest if wide else SHARE
        change = partial(splits.share, share)
        found_ms.append(asyncio.run(in_force_ms(target.url, body, unit, expected, change)))
    return found_ms
