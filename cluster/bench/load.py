"""A closed loop of connections that counts answers and times them."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import aiohttp
import numpy as np
from pydantic import BaseModel, ConfigDict


class Load(BaseModel):
    """What a load brought: answers a second and how long one took."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    connections: int
    requests: int
    errors: int
    requests_per_s: float
    p50_ms: float
    p99_ms: float


async def load(url: str, body: Mapping[str, Any], *, connections: int, duration_s: float) -> Load:
    """Keep this many connections busy for this long."""
    durations: list[float] = []
    errors = 0
    stop = time.perf_counter() + duration_s
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def one() -> None:
            nonlocal errors
            while time.perf_counter() < stop:
                began = time.perf_counter()
                async with session.post(url, json=body) as response:
                    await response.read()
                    errors += response.status != 200
                durations.append(time.perf_counter() - began)

        async with asyncio.TaskGroup() as group:
            for _ in range(connections):
                group.create_task(one())
    p50, p99 = np.percentile(durations, [50, 99]) * 1e3
    return Load(
        connections=connections,
        requests=len(durations),
        errors=errors,
        requests_per_s=len(durations) / duration_s,
        p50_ms=float(p50),
        p99_ms=float(p99),
    )
