"""What a replica's machine has free, as its gateways are told."""

import time
from typing import NamedTuple

import psutil

FRESH_S = 0.5


class Resources(NamedTuple):
    """A machine's processors and memory."""

    cores: int
    busy: float
    """The share of the processors' time that was used lately."""
    memory_free: float
    """The share of the memory that is free."""


class Machine:
    """Measures this machine, however often it is asked, twice a second at most."""

    def __init__(self) -> None:
        self._cores = psutil.cpu_count() or 1
        self._seen_at = float("-inf")
        self._seen: Resources
        # The first of its answers tells nothing: it is what the next is reckoned from.
        psutil.cpu_percent(None)

    def resources(self) -> Resources:
        """What is free now."""
        now = time.monotonic()
        if now - self._seen_at > FRESH_S:
            self._seen_at = now
            memory = psutil.virtual_memory()
            self._seen = Resources(
                cores=self._cores,
                busy=psutil.cpu_percent(None) / 100.0,
                memory_free=memory.available / memory.total,
            )
        return self._seen
