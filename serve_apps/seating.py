"""Which variant sits in which slot, with how many replicas."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil

from engine.experiment.split import BUCKETS, Split
from engine.experiment.state import WorkflowState

UNFIT = {"harm", "errors", "srm", "not_seated"}
"""Causes after which a variant must not even answer the conversations it began."""


@dataclass(frozen=True)
class Seat:
    """A variant that needs a slot."""

    workflow: str
    variant: str
    replicas: int


def replicas_for(share: int, full: int) -> int:
    """A slot's replicas: its share of those it has at full traffic, rounded up."""
    return max(1, ceil(full * share / BUCKETS))


def wanted(workflow: str, split: Split, full: int) -> dict[str, Seat]:
    """The variants that a split sends traffic to."""
    shares = {split.baseline: split.baseline_share}
    for lane in split.lanes:
        shares[lane.variant] = shares.get(lane.variant, 0) + lane.share
    return {
        variant: Seat(workflow, variant, replicas_for(share, full))
        for variant, share in shares.items()
    }


def draining(workflow: WorkflowState, at: float) -> set[str]:
    """Variants whose conversations may still go on, though they get no new ones."""
    ttl_s = float(str(workflow.config.get("conversation_ttl_s", 0.0)))
    closed = [window for window in workflow.windows.values() if window.closed_at is not None]
    unfit = {
        window.candidate
        for window in closed
        if window.verdict is not None and window.verdict.cause in UNFIT
    }
    recent = {
        window.candidate
        for window in closed
        if window.closed_at is not None and at - window.closed_at < ttl_s
    }
    return recent - unfit


@dataclass
class Seating:
    """The slots and who sits in them; a slot seats one variant at a time."""

    slots: tuple[str, ...]
    seats: dict[str, Seat] = field(default_factory=dict)

    def slot_of(self, variant: str) -> str | None:
        """The slot that seats this variant."""
        return next((slot for slot, seat in self.seats.items() if seat.variant == variant), None)

    def place(self, wanted: Mapping[str, Seat], kept: set[str]) -> dict[str, Seat]:
        """Give every wanted variant a slot: its own, a free one, or one that only drains.

        Returns the slots whose seat or number of replicas changed. A variant for which there is no
        slot stays unseated.
        """
        changed: dict[str, Seat] = {}
        for variant, seat in wanted.items():
            slot = self.slot_of(variant) or self._free(wanted, kept)
            if slot is not None and self.seats.get(slot) != seat:
                self.seats[slot] = seat
                changed[slot] = seat
        return changed

    def _free(self, wanted: Mapping[str, Seat], kept: set[str]) -> str | None:
        empty = [slot for slot in self.slots if slot not in self.seats]
        idle = [slot for slot, seat in self.seats.items() if seat.variant not in wanted]
        gone = [slot for slot in idle if self.seats[slot].variant not in kept]
        return next(iter([*empty, *gone, *idle]), None)
