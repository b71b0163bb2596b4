"""What the ledger's entries say: one record per kind of decision."""

from collections.abc import Mapping
from typing import Annotated, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from engine.config.paths import Setting
from engine.errors import LedgerCorruptError
from engine.experiment.expected import Expected, Score
from engine.experiment.variant import Variant
from engine.experiment.verdict import Evidence, Verdict

WindowKind = Literal["trial", "ramp", "holdback"]
Level = Annotated[float, Field(gt=0.0, lt=1.0)]


class Body(BaseModel):
    """What every kind of entry shares: nothing may be added or changed."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Installed(Body):
    """A workflow is served from now on, with this baseline."""

    workflow: str
    baseline: Variant
    workflow_config: dict[str, JsonValue]


class ExperimentStarted(Body):
    """An experiment may open windows from now on; its whole configuration is on record."""

    experiment: str
    workflow: str
    config: dict[str, JsonValue]
    seed: int
    focus: tuple[str, ...] = ()
    """Parameters that the search tries first."""
    reason: str = ""
    """The problem that these answer."""


class CandidateAdded(Body):
    """A person asks for a candidate to be tried next."""

    experiment: str
    workflow: str
    changes: dict[str, Setting] = Field(min_length=1)
    """Parameters of the experiment's space; the others stay as the baseline has them."""
    reason: str = ""


class WindowOpened(Body):
    """A candidate may get traffic."""

    window: str
    trial: str
    experiment: str
    workflow: str
    candidate: Variant
    baseline: str
    share: int
    """Buckets the candidate gets now."""
    lane: int
    """Buckets it may grow to while the layout stands."""
    alpha: Level
    """Level of this candidate's promotion test, fixed before its first unit."""
    f0: Score
    """The baseline's mean score before the window, frozen: it centres the outcomes."""
    expected: Expected | None = None
    """The same by segment, where that is known and tells more."""
    lease_s: float
    continues: tuple[str, ...] = ()
    """Earlier windows of the same pair whose evidence this one goes on with."""
    measured: Evidence | None = None
    """Which facts `f0` was measured on; None where it was taken over or is a guess."""


class Reallocated(Body):
    """The open trials of an experiment get other shares; their evidence goes on."""

    experiment: str
    workflow: str
    shares: dict[str, int]
    """Buckets by window, for the windows whose share changes."""
    cap: int
    """Buckets that the experiment's open trials may have together."""
    reason: str = Field(min_length=1)
    figures: dict[str, dict[str, float | int | None]] = {}
    """What was known of each open window; empty where room was made without looking."""
    evidence: Evidence | None = None


class WindowClosed(Body):
    """A candidate gets no more traffic."""

    window: str
    verdict: Verdict


class Nominated(Body):
    """A candidate is proved better: every other window closes and its ramp begins."""

    window: str
    trial: str
    experiment: str
    workflow: str
    candidate: str
    baseline: str
    share: int
    lane: int
    alpha: Level
    f0: Score
    expected: Expected | None = None
    lease_s: float
    continues: tuple[str, ...]
    verdict: Verdict


class RampStepped(Body):
    """The nominated candidate's share grows."""

    window: str
    share: int
    verdict: Verdict


class Promoted(Body):
    """A variant becomes the baseline; the one before keeps the holdback."""

    workflow: str
    window: str | None = None
    before: str
    after: str
    holdback: int = 0
    """Buckets that the former baseline keeps."""
    experiment: str | None = None
    reason: str
    verdict: Verdict | None = None


class RolledBack(Body):
    """The former baseline is the baseline again."""

    workflow: str
    before: str
    after: str
    reason: str
    verdict: Verdict | None = None


class HoldbackNarrowed(Body):
    """The promotion has stood long enough for fewer units to watch over it."""

    window: str
    share: int
    reason: str
    verdict: Verdict


class HoldbackClosed(Body):
    """The former baseline gets no more traffic."""

    workflow: str
    reason: str
    verdict: Verdict | None = None


class ExperimentEnded(Body):
    """An experiment opens no more windows."""

    experiment: str
    reason: str
    promoted: str | None = None


Decision = (
    Installed
    | ExperimentStarted
    | CandidateAdded
    | WindowOpened
    | Reallocated
    | WindowClosed
    | Nominated
    | RampStepped
    | Promoted
    | RolledBack
    | HoldbackNarrowed
    | HoldbackClosed
    | ExperimentEnded
)

KINDS: Mapping[str, type[Decision]] = {
    kind.__name__: kind
    for kind in (
        Installed,
        ExperimentStarted,
        CandidateAdded,
        WindowOpened,
        Reallocated,
        WindowClosed,
        Nominated,
        RampStepped,
        Promoted,
        RolledBack,
        HoldbackNarrowed,
        HoldbackClosed,
        ExperimentEnded,
    )
}


class Entry(Protocol):
    """A line of the ledger, as the fold reads it."""

    @property
    def seq(self) -> int:
        """Number in the ledger, from 1 without gaps."""
        ...

    @property
    def at(self) -> float:
        """Unix seconds."""
        ...

    @property
    def kind(self) -> str:
        """Name of the decision's record."""
        ...

    @property
    def body(self) -> Mapping[str, JsonValue]:
        """The decision, as JSON."""
        ...


def decision_of(entry: Entry) -> Decision:
    """Read an entry's body as the decision that its kind names.

    Raises:
        LedgerCorruptError: The kind is unknown or the body is not of that kind.
    """
    kind = KINDS.get(entry.kind)
    if kind is None:
        raise LedgerCorruptError(entry.seq, f"unknown kind {entry.kind!r}")
    try:
        return kind.model_validate(entry.body)
    except ValidationError as error:
        raise LedgerCorruptError(entry.seq, f"not a {entry.kind}: {error}") from error
