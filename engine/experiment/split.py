"""Who owns which bucket of the traffic."""

import hashlib
from collections.abc import Collection

from pydantic import BaseModel, ConfigDict

from engine.errors import ConfigError

BUCKETS = 1_000_000
ROTATION_S = 86_400
HELD_OUT = "holdout"
"""The window, and the salt, of units that no experiment may use."""


class Lane(BaseModel):
    """The range of buckets within which one window's share may grow.

    The window's variant holds the leading `share` buckets, the baseline the rest, so widening a
    share only ever moves units from the baseline to the variant, never between two candidates.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    window: str
    variant: str
    start: int
    width: int
    share: int

    def holds(self, bucket: int) -> bool:
        """Whether the window's variant, not the baseline, owns this bucket."""
        return self.start <= bucket < self.start + self.share


class Holdout(BaseModel):
    """The units that keep the variant which was installed, under every split.

    Their salt never rotates: they are set apart before anything is shared, so they take from
    every lane and from the baseline alike.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    variant: str
    share: int
    """Buckets of the units' fixed hash."""


class Split(BaseModel):
    """The traffic of a workflow under one snapshot version, without the units held out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    workflow: str
    version: int
    """Number of the ledger entry that made this split."""
    layout: int
    """Number of the ledger entry that drew the lanes; a new layout means a new salt."""
    baseline: str
    lanes: tuple[Lane, ...] = ()
    holdout: Holdout | None = None

    @property
    def baseline_share(self) -> int:
        """Buckets that no window's variant owns."""
        return BUCKETS - sum(lane.share for lane in self.lanes)

    @property
    def variants(self) -> frozenset[str]:
        """Every variant that the split sends units to."""
        held = () if self.holdout is None else (self.holdout.variant,)
        return frozenset({self.baseline, *(lane.variant for lane in self.lanes), *held})

    def share_of(self, window: str) -> int:
        """Buckets that this window's variant owns; 0 when the window isn't open."""
        return sum(lane.share for lane in self.lanes if lane.window == window)


class Assignment(BaseModel):
    """The variant that a unit gets, and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    variant: str
    window: str
    """The window whose variant owns the bucket, lapsed or not; empty for the baseline's own,
    `holdout` for units that are held out."""
    bucket: int


def epoch_of(split: Split, at: float) -> str:
    """The span within which a unit keeps its bucket: this layout, this day of Unix time.

    One eternal salt would make a unit's second visit predictable from its first, and every
    sequential test on it invalid.
    """
    return f"{split.layout}.{int(at // ROTATION_S)}"


def bucket_of(unit_id: str, workflow: str, epoch: str) -> int:
    """The unit's place in [0, BUCKETS): a salted 64-bit hash, scaled in integers.

    Raises:
        ConfigError: The unit's id holds half a character, so it could not be recorded.
    """
    try:
        text = f"{workflow}\x1f{epoch}\x1f{unit_id}".encode()
    except UnicodeEncodeError as error:
        why = "half of a surrogate pair; write whole characters"
        raise ConfigError(f"the unit id {unit_id!r} holds {why}") from error
    digest = hashlib.blake2b(text, digest_size=8).digest()
    return int.from_bytes(digest, "big") * BUCKETS >> 64


def assign(
    unit_id: str, split: Split, epoch: str, lapsed: Collection[str] = frozenset()
) -> Assignment:
    """The variant that serves this unit; the baseline serves in place of a lapsed window.

    Raises:
        ConfigError: The unit has no usable id, so its assignment could not be repeated.
    """
    if not unit_id:
        raise ConfigError("a request needs a unit id: without one its variant would change")
    if split.holdout is not None:
        fixed = bucket_of(unit_id, split.workflow, HELD_OUT)
        if fixed < split.holdout.share:
            return Assignment(variant=split.holdout.variant, window=HELD_OUT, bucket=fixed)
    bucket = bucket_of(unit_id, split.workflow, epoch)
    lane = next((lane for lane in split.lanes if lane.holds(bucket)), None)
    if lane is None:
        return Assignment(variant=split.baseline, window="", bucket=bucket)
    variant = split.baseline if lane.window in lapsed else lane.variant
    return Assignment(variant=variant, window=lane.window, bucket=bucket)
