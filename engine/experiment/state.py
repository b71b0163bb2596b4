"""Everything that the ledger's entries amount to."""

from pydantic import BaseModel, ConfigDict, JsonValue

from engine.config.paths import Setting
from engine.errors import NotFoundError
from engine.experiment.split import BUCKETS, Lane, Split
from engine.experiment.variant import Variant
from engine.experiment.window import Window


class WorkflowState(BaseModel):
    """One workflow's variants, windows and splits, past and present."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    configs: dict[int, dict[str, JsonValue]]
    """The workflow file as it was installed, each time that it was, by entry."""
    made_of: dict[str, int]
    """The installation that each variant is a setting of."""
    baseline: str
    previous: str | None = None
    """The baseline before the present one: what a rollback returns to."""
    variants: dict[str, Variant]
    windows: dict[str, Window] = {}
    splits: dict[int, Split]
    """Every split that was ever decided, by snapshot version."""
    launched: dict[str, int] = {}
    """Trials that each experiment has opened a window for since it last began."""

    @property
    def config(self) -> dict[str, JsonValue]:
        """The file that the baseline is a setting of."""
        return self.config_of(self.baseline)

    def config_of(self, variant: str) -> dict[str, JsonValue]:
        """The file that a variant is a setting of, which may be an earlier one than the newest."""
        return self.configs[self.made_of[variant]]

    @property
    def split(self) -> Split:
        """The newest split."""
        return self.splits[max(self.splits)]

    @property
    def open_windows(self) -> tuple[Window, ...]:
        """The windows that claim traffic, oldest first."""
        return tuple(window for window in self.windows.values() if window.is_open)

    @property
    def ramp(self) -> Window | None:
        """The open window of the nominated candidate."""
        return next((window for window in self.open_windows if window.kind == "ramp"), None)

    @property
    def holdback(self) -> Window | None:
        """The open window of the former baseline."""
        return next((window for window in self.open_windows if window.kind == "holdback"), None)

    def chain(self, window: Window) -> tuple[Window, ...]:
        """The window with the earlier ones whose evidence it continues, oldest first."""
        earlier = [self.windows[id_] for id_ in window.continues]
        return (*earlier, window)

    def with_variant(self, variant: Variant) -> "WorkflowState":
        """The state that knows this variant as well, as a setting of the baseline's file."""
        made_of = {variant.hash: self.made_of[self.baseline], **self.made_of}
        variants = {**self.variants, variant.hash: variant}
        return self.model_copy(update={"variants": variants, "made_of": made_of})

    def with_window(self, window: Window) -> "WorkflowState":
        """The state with this window added, or put in the place of its former self."""
        return self.model_copy(update={"windows": {**self.windows, window.id: window}})

    def with_launched(self, experiment: str, trials: int) -> "WorkflowState":
        """The state in which an experiment has launched this many trials."""
        return self.model_copy(update={"launched": {**self.launched, experiment: trials}})

    def split_again(self, seq: int, *, new_layout: bool) -> "WorkflowState":
        """The state with the split that its open windows ask for, as version `seq`."""
        layout = seq if new_layout else self.split.layout
        split = Split(
            workflow=self.name,
            version=seq,
            layout=layout,
            baseline=self.baseline,
            lanes=_lanes(self.open_windows),
            holdout=self.split.holdout,
        )
        return self.model_copy(update={"splits": {**self.splits, seq: split}})


class ExperimentState(BaseModel):
    """One experiment as the ledger knows it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    workflow: str
    config: dict[str, JsonValue]
    seed: int
    started_at: float
    """Unix seconds."""
    focus: tuple[str, ...] = ()
    """Parameters that its search tries first."""
    windows: tuple[str, ...] = ()
    """Windows launched since the last promotion; their levels are what the alpha budget spent."""
    promoted: tuple[str, ...] = ()
    paid: dict[str, int] = {}
    """Every window launched since it began, with the promotions before it."""
    added: tuple[dict[str, Setting], ...] = ()
    """Changes of the baseline that persons asked for, oldest first."""
    ended: str | None = None
    """Why it ended."""


class State(BaseModel):
    """The fold of the ledger up to entry `seq`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seq: int = 0
    workflows: dict[str, WorkflowState] = {}
    experiments: dict[str, ExperimentState] = {}

    def workflow(self, name: str) -> WorkflowState:
        """The named workflow.

        Raises:
            NotFoundError: It was never installed.
        """
        if name not in self.workflows:
            known = ", ".join(sorted(self.workflows)) or "none"
            raise NotFoundError(f"workflow {name!r} is not installed; installed: {known}")
        return self.workflows[name]

    def window(self, id_: str) -> Window:
        """The named window, open or closed.

        Raises:
            NotFoundError: No workflow ever opened it.
        """
        for workflow in self.workflows.values():
            if id_ in workflow.windows:
                return workflow.windows[id_]
        raise NotFoundError(f"window {id_!r} was never opened; `trimtab status` lists the windows")

    def with_workflow(self, workflow: WorkflowState) -> "State":
        """The state with this workflow in the place of its former self."""
        return self.model_copy(update={"workflows": {**self.workflows, workflow.name: workflow}})

    def with_experiment(self, experiment: ExperimentState) -> "State":
        """The state with this experiment in the place of its former self."""
        experiments = {**self.experiments, experiment.name: experiment}
        return self.model_copy(update={"experiments": experiments})


def _lanes(windows: tuple[Window, ...]) -> tuple[Lane, ...]:
    """Trials and ramps fill the range from its start, the holdback sits at its end."""
    lanes: list[Lane] = []
    start = 0
    for window in windows:
        at = BUCKETS - window.lane if window.kind == "holdback" else start
        lanes.append(
            Lane(
                window=window.id,
                variant=window.candidate,
                start=at,
                width=window.lane,
                share=window.share,
            )
        )
        start += 0 if window.kind == "holdback" else window.lane
    return tuple(lanes)
