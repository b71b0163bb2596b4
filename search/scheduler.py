"""When Tune ends a trial: as soon as a verdict has closed its window, and never for its figures."""

from collections.abc import Mapping
from typing import Any

from ray.tune.schedulers import FIFOScheduler

CLOSING = frozenset({"stop", "promote", "superseded"})


class VerdictScheduler(FIFOScheduler):
    """Ends a trial by the verdict that it reports.

    Comparing the trials' raw figures, as halving schedulers do, would stop candidates for the luck
    of their hour; the verdict has weighed them against the concurrent baseline already.
    """

    def on_trial_result(self, tune_controller: Any, trial: Any, result: Mapping[str, Any]) -> str:
        """Stop on a closing action; hold and continue keep the window open."""
        stopped: str = self.STOP if result.get("action") in CLOSING else self.CONTINUE
        return stopped
