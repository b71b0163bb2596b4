"""What a gateway needs to assign traffic, published whole by the control actor."""

from pydantic import BaseModel, ConfigDict

from engine.config.protection import Protection
from engine.experiment.split import Split


class WorkflowSnapshot(BaseModel):
    """One workflow's splits, the slots that seat its variants, and its windows' leases."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    splits: dict[int, Split]
    """The present split and those that conversations may still live under, by version."""
    version: int
    """The present split's."""
    routes: dict[str, str]
    """Slot by variant hash, for every variant that is seated and fit to answer."""
    leases: dict[str, float]
    """Unix time at which a window lapses, for windows that carry a lease."""
    conversation_ttl_s: float
    timeout_s: float
    idempotent: bool
    protection: Protection = Protection()
    gateways: int = 1
    """Replicas among which limits that are kept in memory are divided."""
    record_text: bool = False
    """Questions and answers are stored with their traces."""

    @property
    def split(self) -> Split:
        """The split for new conversations."""
        return self.splits[self.version]

    def lapsed(self, split: Split, at: float) -> frozenset[str]:
        """The split's windows whose lease ran out: the baseline serves in their place."""
        return frozenset(
            lane.window for lane in split.lanes if self.leases.get(lane.window, float("inf")) <= at
        )


class Snapshot(BaseModel):
    """Everything published at once; a gateway swaps it whole."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    revision: int
    workflows: dict[str, WorkflowSnapshot]
    addresses: dict[str, tuple[str, ...]] = {}
    """Where the replicas of each slot take requests."""
