"""When a change of the ledger has reached every gateway, as seen by who asks."""

import asyncio
import time
from collections.abc import Callable

import aiohttp

CONNECTIONS = 4
SAME = 6
"""Answers in a row on every connection that show the change: two gateways answer in turn."""
GIVE_UP_S = 30.0


async def in_force_ms(
    url: str, body: str, unit: str, expected: str, change: Callable[[], object]
) -> float:
    """From the moment before a change to the first request after which all had its variant.

    The unit is one that the change gives another variant, so each answer shows which split the
    gateway that gave it goes by.
    """
    headers = {"x-trimtab-conversation": unit, "content-type": "application/json"}
    seen: list[tuple[float, bool]] = []
    async with aiohttp.ClientSession(headers=headers) as http, asyncio.timeout(GIVE_UP_S):

        async def watch() -> None:
            in_a_row = 0
            while in_a_row < SAME:
                asked = time.perf_counter()
                async with http.post(url, data=body) as response:
                    await response.read()
                    is_new = response.headers.get("x-trimtab-variant") == expected
                in_a_row = in_a_row + 1 if is_new else 0
                seen.append((asked, is_new))

        began = time.perf_counter()
        change()
        async with asyncio.TaskGroup() as group:
            for _ in range(CONNECTIONS):
                group.create_task(watch())
    return 1e3 * (since(seen) - began)


def since(seen: list[tuple[float, bool]]) -> float:
    """When the first request was asked after which every one had the new variant."""
    last_old = max((asked for asked, is_new in seen if not is_new), default=0.0)
    return min(asked for asked, is_new in seen if is_new and asked > last_old)
