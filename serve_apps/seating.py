"""Which variant sits in which slot, with how many replicas."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from math import ceil

from engine.experiment.split import BUCKETS, Split
from engine.experiment.state import WorkflowState

Key = tuple[str, str]
"""A workflow and one of its variants: two workflows with equal settings share no seat."""

HARMFUL = frozenset({"harm", "errors", "regression"})
"""Causes after which nobody may get a variant's answers."""
UNFIT = HARMFUL | {"srm", "not_seated"}
"""Causes after which a variant must not even answer the conversations it began."""


@dataclass(frozen=True)
class Seat:
    """A variant that needs a slot."""

    workflow: str
    variant: str
    replicas: int

    @property
    def key(self) -> Key:
        """Whose variant sits here."""
        return self.workflow, self.variant


def replicas_for(share: int, full: int) -> int:
    """A slot's replicas: its share of those it has at full traffic, rounded up."""
    return max(1, ceil(full * share / BUCKETS))


def wanted(workflow: str, split: Split, full: int) -> dict[Key, Seat]:
    """The variants that a split sends traffic to."""
    shares = {split.baseline: split.baseline_share}
    for lane in split.lanes:
        shares[lane.variant] = shares.get(lane.variant, 0) + lane.share
    if split.holdout is not None:
        held = split.holdout
        shares[held.variant] = shares.get(held.variant, 0) + held.share
    return {
        (workflow, variant): Seat(workflow, variant, replicas_for(share, full))
        for variant, share in shares.items()
    }


def draining(workflow: WorkflowState, at: float) -> set[Key]:
    """Variants whose conversations may still go on, though they get no new ones."""
    ttl_s = float(str(workflow.config.get("conversation_ttl_s", 0.0)))
    recent = {
        window.candidate
        for window in workflow.windows.values()
        if window.closed_at is not None and at - window.closed_at < ttl_s
    }
    return {(workflow.name, variant) for variant in recent - _found(workflow, UNFIT)}


def unfit(workflow: WorkflowState) -> set[str]:
    """Variants that must answer nobody, because users got worse or failing answers from them.

    Those that the newest split needs answer whatever was found of them before.
    """
    return _found(workflow, HARMFUL) - workflow.split.variants


def _found(workflow: WorkflowState, causes: Collection[str]) -> set[str]:
    """Variants that a window found to be this; a holdback weighs its baseline, the promoted one."""
    return {
        window.baseline if window.kind == "holdback" else window.candidate
        for window in workflow.windows.values()
        if window.verdict is not None and window.verdict.cause in causes
    }


@dataclass
class Seating:
    """The slots and who sits in them; a slot seats one variant at a time."""

    slots: tuple[str, ...]
    seats: dict[str, Seat] = field(default_factory=dict)

    def slot_of(self, key: Key) -> str | None:
        """The slot that seats this variant."""
        return next((slot for slot, seat in self.seats.items() if seat.key == key), None)

    def place(self, wanted: Mapping[Key, Seat], kept: set[Key]) -> dict[str, Seat]:
        """Give every wanted variant a slot: its own, a free one, or one that only drains.

        Returns the slots whose seat or number of replicas changed. A variant for which there is no
        slot stays unseated.
        """
        changed: dict[str, Seat] = {}
        for key, seat in wanted.items():
            slot = self.slot_of(key) or self._free(wanted, kept)
            if slot is not None and self.seats.get(slot) != seat:
                self.seats[slot] = seat
                changed[slot] = seat
        return changed

    def _free(self, wanted: Mapping[Key, Seat], kept: set[Key]) -> str | None:
        empty = [slot for slot in self.slots if slot not in self.seats]
        idle = [slot for slot, seat in self.seats.items() if seat.key not in wanted]
        gone = [slot for slot in idle if self.seats[slot].key not in kept]
        return next(iter([*empty, *gone, *idle]), None)
