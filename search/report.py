"""What a trial tells Tune after a look: every figure in every report."""

import math
from dataclasses import dataclass

from engine.experiment.decide import Figures
from engine.stats.allocation import posterior
from search.scheduler import CLOSING

SHOWN = ("lift", "se", "log_e", "harm_log_e", "latency_ratio", "latency_log_se")


@dataclass(frozen=True)
class Report:
    """One look at a window, or the end of a trial that never had one."""

    action: str
    cause: str
    candidate: str
    window: str = ""
    figures: Figures | None = None

    @property
    def is_last(self) -> bool:
        """Whether the trial ends with this report."""
        return self.action in CLOSING

    def row(self) -> dict[str, float | int | str]:
        """The report as Tune wants it: no key may be missing, so what is unmeasured is NaN."""
        figures = self.figures or {}
        shown = {name: _or_nan(figures.get(name)) for name in SHOWN}
        return {
            "units": figures.get("candidate_units") or 0,
            **shown,
            "objective": _or_nan(objective(figures)),
            "action": self.action,
            "cause": self.cause,
            "window": self.window,
            "candidate": self.candidate,
        }


def objective(figures: Figures) -> float | None:
    """The lift to expect of a candidate: its posterior mean, None while nothing is measured.

    The prior is what a random change of settings does: a normal with mean -0.01 and standard
    deviation 0.03. A window that was closed early is pulled towards it, so that the search does
    not chase the luck of small samples.
    """
    lift, se = figures.get("lift"), figures.get("se")
    if lift is None or not se:
        return None
    return posterior(lift, se).mean


def _or_nan(figure: float | None) -> float:
    return math.nan if figure is None else float(figure)
