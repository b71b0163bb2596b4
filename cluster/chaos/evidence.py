"""What is known after a chaos run: the clients' journal, the two books, and what was watched."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import polars as pl
from pydantic import BaseModel, ConfigDict

from cluster.chaos.journal import Journal
from engine.evidence.records import empty

Id = Literal["I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9"]
SHOWN = 8
"""Examples of what is broken; their number is told in full."""


class Landed(BaseModel):
    """A fault that happened, and the evidence that it did."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fault: int
    """Its number in the table of faults."""
    action: str
    began_at: float
    ended_at: float
    """When what was done was undone, or made good."""
    over_at: float
    """When the deployment could begin to recover: at once after a kill."""
    evidence: str
    """Empty where the fault did not land."""
    aimed_at: str = ""
    """The variant that it was meant for; empty where it could meet all."""
    fills_disk: bool = False
    """Whether traces could be lost meanwhile, as answers may leave without one."""

    wrong: str = ""
    """What the deployment did that it must not, as far as the action itself could tell."""

    @property
    def did_land(self) -> bool:
        """Whether it really happened."""
        return bool(self.evidence)


class Reading(BaseModel):
    """What one reader of the store saw at one moment."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: float
    position: int
    rows: dict[str, int]
    error: str = ""


class Watched(BaseModel):
    """One process at one moment."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: float
    role: str
    pid: int
    rss_mib: float
    fds: int


class DiskUse(BaseModel):
    """What the workspace took at one moment."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: float
    mib: float


@dataclass(frozen=True)
class Tables:
    """The store, all of it, after every spool was shipped."""

    exposures: pl.DataFrame = field(default_factory=lambda: empty("exposure"))
    traces: pl.DataFrame = field(default_factory=lambda: empty("trace"))
    feedback: pl.DataFrame = field(default_factory=lambda: empty("feedback"))


@dataclass(frozen=True)
class Measured:
    """What the evidence layer makes of one window: units and failed units of each side."""

    window: str
    units: int
    failed: int
    mismatch_log_e: float
    """ln E against "the planned shares were served"."""


@dataclass(frozen=True)
class Splits:
    """Who may serve whom, by snapshot version, as the ledger says."""

    variants: Mapping[int, frozenset[str]]
    baselines: Mapping[int, str]
    decided_at: Mapping[int, float]
    windows: Mapping[str, frozenset[int]]
    """The versions under which each window was compared."""


@dataclass(frozen=True)
class Evidence:
    """All of it."""

    journal: Journal
    tables: Tables
    splits: Splits
    measured: Sequence[Measured] = ()
    readings: Sequence[Reading] = ()
    problems: Sequence[str] = ()
    """What the store's own check names."""
    ledger_flaw: str = ""
    """Why the ledger's chain does not hold, or a decision in it is not lawful."""
    watched: Sequence[Watched] = ()
    disk: Sequence[DiskUse] = ()
    landed: Sequence[Landed] = ()


class Verdict(BaseModel):
    """Whether one invariant holds, on how much."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Id
    what: str
    holds: bool | None
    """None where the run did nothing that could have broken it."""
    checked: int
    """Facts that it was held against; none is no proof."""
    broken: int
    examples: tuple[str, ...] = ()


def verdict(id_: Id, what: str, checked: int, broken: Sequence[str]) -> Verdict:
    """A verdict; nothing checked is as bad as something broken."""
    return Verdict(
        id=id_,
        what=what,
        holds=checked > 0 and not broken,
        checked=checked,
        broken=len(broken),
        examples=tuple(broken[:SHOWN]),
    )
