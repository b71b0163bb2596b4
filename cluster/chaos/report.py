"""What a chaos run came to, as one JSON document and as a table for people."""

from collections.abc import Sequence
from typing import Self

import numpy as np
from pydantic import BaseModel, ConfigDict

from cluster.bench.rows import Row, judged
from cluster.chaos.evidence import Landed, Verdict
from cluster.chaos.journal import Journal, Try, availability, counts
from cluster.chaos.plan import Planned

AVAILABLE = 0.995
TRANSIENT = 0.0015
"""Of 1.8 % transient errors of the model, this share of requests may still fail."""
RECOVERS_S = 15.0
OPERATED = 5
"""A dead cluster is brought up again by a person, not by itself."""
AFTERMATH_S = 3.0
"""So long without a failure, and what a fault brought about is over."""
CALM_S = 1.0
"""A fault's aftermath is over when so long nothing fails any more."""


class Recovery(BaseModel):
    """How long after a fault requests still failed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: str
    seconds: float
    failed: int
    """First tries that failed from the fault's beginning to the next fault's."""
    lost: int
    """Requests that failed though they were tried once more."""


class Report(BaseModel):
    """One run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int
    seconds: float
    faults: tuple[int, ...]
    rate: float
    profile: str
    plan: tuple[Planned, ...]
    landed: tuple[Landed, ...]
    up_s: float
    requests: int
    counts: dict[str, dict[str, int]]
    """First tries, by class and code."""
    counts_with_retry: dict[str, dict[str, int]]
    availability: float | None
    """Of requests while the cluster was not dead, as one that is has to be brought up by hand."""
    availability_with_retry: float | None
    transient_share: float | None
    """Failed first tries among those that no fault met but the model's 1.8 % of errors."""
    transient_requests: int
    p50_ms: float | None
    p99_ms: float | None
    """Of answers that no fault met."""
    recoveries: tuple[Recovery, ...]
    verdicts: tuple[Verdict, ...]

    @property
    def missed(self) -> list[str]:
        """Actions that were planned and did not land."""
        done = {one.action for one in self.landed if one.did_land}
        return sorted({one.action for one in self.plan} - done)

    @property
    def flaws(self) -> list[str]:
        """Why the run is red; none when it is green."""
        found = [f"{one.id} is broken: {one.what}" for one in self.verdicts if one.holds is False]
        found += [f"{name} did not land" for name in self.missed]
        found += [f"{one.action}: {one.wrong}" for one in self.landed if one.wrong]
        if not any(one.did_land for one in self.landed):
            found.append("no fault landed at all, so nothing was shown")
        return found + [f"{row.what}: {row.value}" for row in self.rows() if row.passed is False]

    def rows(self) -> list[Row]:
        """The figures with a goal."""
        alone = (
            recovery.seconds
            for fault, recovery in zip(self.landed, self.recoveries, strict=True)
            if fault.fault != OPERATED
        )
        figures = [
            ("retried", "answered, with one retry", self.availability_with_retry, "share"),
            ("first", "answered at once", self.availability, "share"),
            ("transient", "failed by 1.8 % transient errors", self.transient_share, "share"),
            ("recovery", "slowest recovery by itself", max(alone, default=None), "s"),
            ("p99", "p99 while no fault lasted", self.p99_ms, "ms"),
        ]
        goals = {
            "retried": f">= {AVAILABLE}",
            "transient": f"<= {TRANSIENT}",
            "recovery": f"<= {RECOVERS_S:g}",
        }
        if not any(fault.fault != OPERATED for fault in self.landed):
            del goals["recovery"]
        return [
            judged(Row(id=id_, what=what, value=value, unit=unit, goal=goals.get(id_)))
            for id_, what, value, unit in figures
        ]

    @classmethod
    def of(
        cls, journal: Journal, landed: Sequence[Landed], verdicts: Sequence[Verdict], **said: object
    ) -> Self:
        """The report on a journal."""
        first = [ping.first for ping in journal.pings]
        last = [ping.last for ping in journal.pings]
        dead = [fault for fault in landed if fault.fault == OPERATED]
        alive = [
            ping
            for ping in journal.pings
            if not any(_meets(one, fault) for one in ping.tries for fault in dead)
        ]
        calm = [one for one in first if not any(_meets(one, fault) for fault in landed)]
        times = [(one.ended_at - one.began_at) * 1e3 for one in calm if one.is_ok]
        failing = availability(calm)
        return cls.model_validate(
            {
                **said,
                "landed": tuple(landed),
                "verdicts": tuple(verdicts),
                "requests": len(first),
                "counts": counts(first),
                "counts_with_retry": counts(last),
                "availability": availability([ping.first for ping in alive]),
                "availability_with_retry": availability([ping.last for ping in alive]),
                "transient_share": None if failing is None else 1.0 - failing,
                "transient_requests": len(calm),
                "p50_ms": float(np.percentile(times, 50)) if times else None,
                "p99_ms": float(np.percentile(times, 99)) if times else None,
                "recoveries": tuple(_recoveries(journal, landed)),
            }
        )


def _meets(one: Try, fault: Landed) -> bool:
    """Whether a request was under way during a fault or soon after it."""
    return one.began_at <= fault.ended_at + CALM_S and one.ended_at >= fault.began_at


def _recoveries(journal: Journal, landed: Sequence[Landed]) -> list[Recovery]:
    found = []
    ends = [*(fault.began_at for fault in landed[1:]), float("inf")]
    for fault, until in zip(landed, ends, strict=True):
        failed = [
            ping
            for ping in journal.pings
            if fault.began_at <= ping.first.began_at < until and not ping.first.is_ok
        ]
        over = _last_of_it(sorted(ping.first.ended_at for ping in failed), fault.over_at)
        found.append(
            Recovery(
                action=fault.action,
                seconds=round(max(0.0, over - fault.over_at), 2),
                failed=len(failed),
                lost=sum(not ping.last.is_ok for ping in failed),
            )
        )
    return found


def _last_of_it(failed_at: Sequence[float], over_at: float) -> float:
    """When the aftermath ended: a failure after a long calm belongs to something else."""
    last = over_at
    for at in failed_at:
        if at > last + AFTERMATH_S:
            break
        last = max(last, at)
    return last
