"""Stops calling what keeps failing, and finds out by one call whether it works again."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from engine.config import model as config
from engine.workflow.failure import CircuitError, StepError

State = Literal["closed", "open", "half_open"]
Kind = Literal["model", "tool", "node"]
Clock = Callable[[], float]
"""Seconds that only grow."""
IsFault = Callable[[BaseException], bool]
"""Whether an exception shows that the other side is broken, rather than the question."""


@dataclass
class _Second:
    """The calls that began, and those that failed, within one second."""

    at: int
    calls: int = 0
    failures: int = 0


class Breaker:
    """The breaker of one thing that is called; nothing in it waits, so tasks can't race in it."""

    def __init__(self, name: str, settings: config.Breaker, clock: Clock) -> None:
        self._name = name
        self._settings = settings
        self._clock = clock
        self._seconds: deque[_Second] = deque()
        self._opened: float | None = None
        self._probing = False
        # Counts the openings and closings: a call's end counts only in the time that it began in.
        self._era = 0

    @property
    def state(self) -> State:
        """Whether calls pass, none does, or the next one is the probe."""
        if self._opened is None:
            return "closed"
        return "half_open" if self._left_s() <= 0.0 else "open"

    @contextmanager
    def guard(self, is_fault: IsFault) -> Iterator[None]:
        """Let a call through, and learn from how it ends.

        A failure that is no fault shows that the other side works. A call that was cut off from
        here, as by a cancellation, shows nothing.

        Raises:
            CircuitError: The breaker is open, or another call is the probe.
        """
        era, probe = self._enter()
        try:
            yield
        except BaseException as failure:
            if is_fault(failure):
                self._fail(era)
            elif isinstance(failure, StepError):
                self._pass(era)
            raise
        else:
            self._pass(era)
        finally:
            if probe and era == self._era:
                self._probing = False

    def _enter(self) -> tuple[int, bool]:
        state = self.state
        if state == "open" or (state == "half_open" and self._probing):
            raise CircuitError(
                "circuit_open",
                f"{self._name}: not called, since it kept failing",
                retry_after_s=max(self._left_s(), 0.0),
            )
        self._probing = state == "half_open"
        # Counted as it begins: failures are often quicker than answers, and would stand alone.
        self._now().calls += 1
        return self._era, self._probing

    def _fail(self, era: int) -> None:
        if era != self._era:
            return
        self._now().failures += 1
        if self._probing or self._is_too_much():
            self._turn(opened=self._clock())

    def _pass(self, era: int) -> None:
        if era == self._era and self._probing:
            self._turn(opened=None)

    def _now(self) -> _Second:
        now = self._clock()
        if not self._seconds or self._seconds[-1].at != int(now):
            self._seconds.append(_Second(int(now)))
        while self._seconds[0].at < now - self._settings.window_s and len(self._seconds) > 1:
            self._seconds.popleft()
        return self._seconds[-1]

    def _is_too_much(self) -> bool:
        """Many failures and a large share of the calls: many alone are a busy day's usual ones."""
        failures = sum(second.failures for second in self._seconds)
        calls = sum(second.calls for second in self._seconds)
        return failures >= max(self._settings.failures, self._settings.share * calls)

    def _turn(self, opened: float | None) -> None:
        self._era += 1
        self._opened = opened
        self._probing = False
        self._seconds.clear()

    def _left_s(self) -> float:
        since = 0.0 if self._opened is None else self._opened
        return since + self._settings.open_s - self._clock()


class Breakers:
    """One breaker for each model, tool or node, made when it is first asked for."""

    def __init__(self, settings: config.Breaker, clock: Clock = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._breakers: dict[str, Breaker] = {}

    def of(self, kind: Kind, name: str) -> Breaker:
        """The breaker of this thing, always the same one."""
        key = f"{kind}:{name}"
        if key not in self._breakers:
            self._breakers[key] = Breaker(key, self._settings, self._clock)
        return self._breakers[key]

    def states(self) -> Mapping[str, State]:
        """The state of every breaker by `kind:name`, for a page that shows it."""
        return {key: breaker.state for key, breaker in sorted(self._breakers.items())}
