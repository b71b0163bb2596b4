"""Changes of who gets which traffic, put on record as an operator's decisions."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from cluster.demo.files import FOLDER
from engine.config.experiment import load_experiment
from engine.config.workflow import Workflow
from engine.experiment.entries import (
    Decision,
    ExperimentStarted,
    Reallocated,
    WindowClosed,
    WindowOpened,
)
from engine.experiment.split import BUCKETS, bucket_of, epoch_of
from engine.experiment.state import WorkflowState
from engine.experiment.variant import variant_of
from engine.experiment.verdict import Verdict
from engine.experiment.window import Window
from search.books import Decisions

EXPERIMENT = FOLDER.parent / "bench" / "one-step-experiment.yaml"
SHARE = BUCKETS // 10
LANE = BUCKETS // 10 * 9
OVER = Verdict(action="stop", cause="operator", reason="the benchmark goes on to the next")


class Splitting:
    """One workflow's candidate: at most one window is open, opened, widened and closed by hand."""

    def __init__(self, decisions: Decisions, workflow: Workflow) -> None:
        self._decisions = decisions
        self._workflow = workflow

    @property
    def state(self) -> WorkflowState:
        """The workflow as the ledger has it now."""
        return self._decisions.state().workflow(self._workflow.workflow)

    @property
    def window(self) -> Window:
        """The open window."""
        return self.state.open_windows[0]

    def start(self) -> None:
        """Put an experiment on record, for windows to belong to, unless it goes on already."""
        name = self._workflow.workflow
        if name in self._decisions.state().experiments:
            return
        experiment = load_experiment(EXPERIMENT).experiment
        config = experiment.model_copy(update={"experiment": name, "workflow": name})
        self._append(
            ExperimentStarted(
                experiment=name, workflow=name, config=config.model_dump(mode="json"), seed=0
            )
        )

    def open(self) -> int:
        """Give a candidate that was not there before a tenth; the split's version."""
        number = len(self.state.windows) + 1
        name = f"{self._workflow.workflow}-{number}"
        candidate = variant_of(self._workflow, {"llm.temperature": 0.3 + number * 1e-4})
        return self._append(
            WindowOpened(
                window=name,
                trial=name,
                experiment=self._workflow.workflow,
                workflow=self._workflow.workflow,
                candidate=candidate,
                baseline=self.state.baseline,
                share=SHARE,
                lane=LANE,
                alpha=0.01,
                f0=0.5,
                lease_s=7_200.0,
            )
        )

    def close(self) -> int:
        """Take its traffic away again; the split's version."""
        return self._append(WindowClosed(window=self.window.id, verdict=OVER))

    def share(self, buckets: int) -> int:
        """Give it another share, in the same layout; the split's version."""
        name = self._workflow.workflow
        return self._append(
            Reallocated(
                experiment=name,
                workflow=name,
                shares={self.window.id: buckets},
                cap=LANE,
                reason="the benchmark moves it",
            )
        )

    def unit_between(self, low: int, high: int) -> str:
        """A unit that the candidate serves at the higher share and not at the lower one."""
        epoch = epoch_of(self.state.split, time.time())
        names = (f"unit-{number}" for number in range(BUCKETS))
        return next(
            one for one in names if low <= bucket_of(one, self._workflow.workflow, epoch) < high
        )

    def _append(self, decision: Decision) -> int:
        entry = self._decisions.append(lambda _: decision, actor="operator", clock=time.time)
        assert entry is not None
        return entry.seq


@contextlib.contextmanager
def splitting(root: Path, workflow: Workflow) -> Iterator[Splitting]:
    """An experiment on this workflow, with its ledger open."""
    with contextlib.closing(Decisions(root)) as decisions:
        made = Splitting(decisions, workflow)
        made.start()
        yield made
