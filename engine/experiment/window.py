"""An interval of traffic in which one pair of variants is compared."""

from pydantic import BaseModel, ConfigDict

from engine.experiment.entries import WindowKind
from engine.experiment.expected import Expected, centre_of_window
from engine.experiment.verdict import Verdict
from engine.stats.pseudo import Centre


class Window(BaseModel):
    """A candidate's claim on traffic, from the entry that opened it to the one that closed it.

    In a holdback the candidate is the former baseline.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    kind: WindowKind
    trial: str = ""
    experiment: str = ""
    workflow: str
    candidate: str
    baseline: str
    share: int
    lane: int
    alpha: float = 0.0
    f0: float = 0.5
    expected: Expected | None = None
    lease_s: float = 0.0
    continues: tuple[str, ...] = ()
    opened_seq: int
    opened_at: float
    stepped_seq: int
    """The entry that set the present share."""
    closed_seq: int | None = None
    closed_at: float | None = None
    verdict: Verdict | None = None
    """The verdict that closed it."""

    @property
    def centre(self) -> float | Centre:
        """What its test measures scores from."""
        return centre_of_window(self.f0, self.expected)

    @property
    def is_open(self) -> bool:
        """Whether the window still claims its share."""
        return self.closed_seq is None

    def closed(self, seq: int, at: float, verdict: Verdict) -> "Window":
        """The window after the entry that closed it."""
        return self.model_copy(update={"closed_seq": seq, "closed_at": at, "verdict": verdict})
