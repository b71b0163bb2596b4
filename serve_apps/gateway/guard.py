"""What stands between a client and the work: its rates, the seats there are, failing variants."""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple

from engine.config.protection import Protection
from serve_apps.gateway.call import Call, Json
from serve_apps.protection.ejector import NOBODY, Ejected, Ejector
from serve_apps.protection.rates import RateLimits, rate_limits
from serve_apps.protection.room import Room
from serve_apps.snapshot import Snapshot, WorkflowSnapshot

NOT_ITS_FAULT = {"ConfigError", "client_left", "internal", "upstream_throttled"}
"""Failures that say nothing against the variant that was asked."""


class Kept(NamedTuple):
    """One workflow's protection; it lives as long as its settings stay the same."""

    settings: Protection
    gateways: int
    rates: RateLimits
    room: Room
    ejector: Ejector


class Guard:
    """One gateway's protection of every workflow, as the snapshot has it."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._kept: dict[str, Kept] = {}

    @property
    def rooms(self) -> Mapping[str, Room]:
        """The seats of each workflow."""
        return {name: kept.room for name, kept in self._kept.items()}

    def follow(self, snapshot: Snapshot) -> None:
        """Take over what a new snapshot says."""
        at = time.monotonic()
        for name, workflow in snapshot.workflows.items():
            known = self._kept.get(name)
            told = (workflow.protection, workflow.gateways)
            if known is None or (known.settings, known.gateways) != told:
                self._kept[name] = known = self._new(workflow)
            known.ejector.seated(workflow.split.baseline, frozenset(workflow.routes), at)

    def out(self, workflow: str) -> frozenset[str]:
        """The variants of a workflow that are passed over now."""
        kept = self._kept.get(workflow)
        return NOBODY if kept is None else kept.ejector.out(time.monotonic())

    @asynccontextmanager
    async def seat(self, call: Call, within_s: float) -> AsyncIterator[None]:
        """A seat for a call that its key may still make.

        Raises:
            RefusedError: The key had enough for now, or there is no seat.
        """
        kept = self._kept[call.workflow]
        if limited := await kept.rates.admit(call.key, call.workflow):
            raise limited.error()
        async with kept.room.seat(call.key, within_s):
            yield

    def saw(self, workflow: str, variant: str, outcome: Json) -> None:
        """Take in how a variant's answer came out; what the client did wrong is not its fault."""
        if outcome["error"] not in NOT_ITS_FAULT:
            ok = outcome["status"] == "ok"
            self._kept[workflow].ejector.saw(variant, time.monotonic(), ok=ok)

    async def charged(self, call: Call, outcome: Json) -> dict[str, str]:
        """Count what an answer took; what remains to the key, as headers."""
        rates = self._kept[call.workflow].rates
        tokens = (outcome["input_tokens"] or 0) + (outcome["output_tokens"] or 0)
        await rates.charge(call.key, call.workflow, tokens, outcome["cost_usd"] or 0.0)
        return await rates.headers(call.key, call.workflow)

    def news(self) -> list[tuple[str, Ejected]]:
        """Who was ejected or returned since the last call, by workflow."""
        return [(name, one) for name, kept in self._kept.items() for one in kept.ejector.news()]

    def _new(self, workflow: WorkflowSnapshot) -> Kept:
        settings = workflow.protection
        return Kept(
            settings,
            workflow.gateways,
            rate_limits(settings.rates, self._secret, workflow.gateways),
            Room(settings.crowding),
            Ejector(settings.ejection),
        )
