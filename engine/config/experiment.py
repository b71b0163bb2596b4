"""What an operator may write about an experiment on a workflow."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from engine.config.fit import fit_problems
from engine.config.frozen import Frozen
from engine.config.guardrails import Guardrails, Segments
from engine.config.metric import (
    FEEDBACK,
    QUALITY,
    Builtin,
    Calibrated,
    Evaluator,
    Metric,
    Reference,
)
from engine.config.parameter import Parameter
from engine.config.problem import Problem, did_you_mean, impossible
from engine.config.source import load, read
from engine.config.space import Exclusive, Forbidden, Space, shape_problems
from engine.config.windows import Ramp, Sampler, Windows
from engine.config.workflow import Workflow

Mode = Literal["report", "suggest", "experiment", "auto"]
MetricName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$", examples=["grounded"])]
SPARE_SLOTS = 2
"""Slots that windows can't have: the baseline's, and one that drains or holds back. A holdout
takes another."""
_ROUNDING = 1e-9


class Objective(Frozen):
    """The metric that decides."""

    metric: str = QUALITY
    """`quality`, which users send, or one of `metrics`."""
    missing: Literal["itt", "complete-case"] = "itt"
    """An unscored unit counts at the baseline's frozen mean, or not at all. Where one variant's are
    scored more often nothing is promoted, unless by the former it stands even the worst case."""
    mde: float = Field(0.02, gt=0.0, lt=1.0)
    """The smallest improvement worth finding, on the metric's own scale."""


class Experiment(Frozen):
    """One experiment: its space, metrics, guardrails and budget."""

    experiment: str = Field(pattern=r"^[a-z][a-z0-9-]{0,62}$", examples=["docs-qa"])
    workflow: str = Field(min_length=1)
    """The workflow's file, relative to this one."""
    segment: str | None = Field(None, min_length=1, examples=["how-to"])
    """Only requests of this segment; what is promoted is promoted for them alone."""
    mode: Mode = "suggest"
    """`report` observes, `suggest` proposes, `experiment` waits for a person, `auto` promotes."""
    seed: int = Field(0, ge=0, le=2**32 - 1)
    alpha: float = Field(0.05, gt=0.0, lt=0.5)
    """The chance that any promotion of the experiment is a mistake, or the share of mistakes."""
    alpha_mode: Literal["experiment", "fdr"] = "experiment"
    """What alpha bounds: the chance of any false promotion up to the next one, after which its
    budget is whole again; or the expected share of false ones among all promotions, for which it is
    never made whole but each promotion earns more."""
    objective: Objective = Objective()
    maturation_s: float = Field(ge=0.0)
    """How long after a unit's exposure its outcome is final."""
    min_cycle_s: float = Field(ge=0.0)
    """The shortest time over which traffic is compared: a whole day or week where it varies."""
    metrics: dict[MetricName, Metric] = Field(default_factory=dict)
    """Evaluators and other scores, by name, for the objective and the guardrails."""
    guardrails: Guardrails = Guardrails()
    segments: Segments = Segments()
    windows: Windows = Windows()
    ramp: Ramp = Ramp()
    holdback: float = Field(0.1, gt=0.0, lt=1.0)
    """The share of all traffic that keeps the former baseline after a promotion."""
    holdback_s: float = Field(604_800.0, gt=0.0)
    """After this long the holdback is narrowed, or closed."""
    holdback_units: int = Field(100_000, ge=1)
    """The same after this many matured units of both variants."""
    holdback_after: float = Field(0.02, ge=0.0, lt=1.0)
    """What is left of it then, at most; 0 closes it, and nothing watches the promotion any more."""
    max_promotions: int = Field(1, ge=1)
    max_duration_s: float | None = Field(None, gt=0.0)
    """After this long no window opens and the open ones close undecided; None sets no limit."""
    policy: Literal["trimtab", "group-sequential", "article", "bandit"] = "trimtab"
    """What promotes: proof at any time; proof at `windows.looks` planned looks of a window that
    ends at `max_units`, which takes less traffic at the planned effect; the original article's rule
    (2 points ahead and at most 1.2 times the latency after `max_units`), which promotes by luck and
    is there to be compared with; or nothing: a bandit keeps its candidates, gives each the traffic
    that it seems best for, up to the cap, and stops only what does harm."""
    aa: bool = False
    """Every candidate is a copy of the baseline: whatever is promoted, is promoted by mistake."""
    sampler: Sampler = Sampler()
    space: dict[str, Parameter]
    exclusive: Exclusive = ()
    """Groups of switches of which exactly one is true."""
    forbidden: Forbidden = ()
    """Settings that are never proposed together."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        found = [
            *_window_problems(self.windows),
            *_ramp_problems(self),
            *_metric_problems(self),
            *shape_problems(self.space, self.exclusive, self.forbidden),
        ]
        if found:
            raise impossible(found)
        return self

    def metric(self, name: str) -> Metric:
        """The metric of this name; `quality` is always there."""
        return FEEDBACK if name == QUALITY else self.metrics[name]


@dataclass(frozen=True)
class LoadedExperiment:
    """An experiment and its workflow, checked against each other."""

    experiment: Experiment
    workflow: Workflow
    path: Path

    @property
    def space(self) -> Space:
        """What the experiment searches."""
        return space_of(self.experiment)


def space_of(experiment: Experiment) -> Space:
    """The space that an experiment's file spreads over three keys."""
    return Space(
        parameters=experiment.space,
        exclusive=experiment.exclusive,
        forbidden=experiment.forbidden,
    )


def load_workflow(path: Path) -> Workflow:
    """Read and check a workflow's file.

    Raises:
        ConfigError: Every problem with its line and column.
    """
    return load(path, Workflow)


def load_experiment(path: Path) -> LoadedExperiment:
    """Read and check an experiment's file, and the workflow's that it names, against each other.

    Raises:
        ConfigError: Every problem of the first of these that fails, with line and column:
            the experiment, its workflow, the two together.
    """
    document = read(path)
    experiment = document.into(Experiment)
    named = path.parent / experiment.workflow
    if not named.is_file():
        files = [file.name for file in named.parent.glob("*.y*ml") if file != path]
        why = f"got {experiment.workflow!r}, which is no file; {did_you_mean(named.name, files)}"
        raise document.refusal([Problem(("workflow",), why)])
    workflow = load_workflow(named)
    problems = [
        *_slot_problems(experiment, workflow),
        *_text_problems(experiment, workflow, path.parent),
    ]
    if problems := problems + fit_problems(space_of(experiment), workflow):
        raise document.refusal(problems)
    return LoadedExperiment(_placed(experiment, path.parent), workflow, path)


def _window_problems(windows: Windows) -> Iterator[Problem]:
    together = windows.concurrent * windows.share
    if together > windows.exploration_cap + _ROUNDING:
        most = math.floor(1_000 * windows.exploration_cap / windows.concurrent) / 1_000
        why = f"{windows.concurrent} windows of {windows.share:g} take {together:g} of the traffic"
        yield Problem(("windows", "share"), f"{why}; write at most {most:g} or raise the cap")
    if windows.most < windows.exploration_cap:
        why = f"got {windows.most:g}; write at least exploration_cap, {windows.exploration_cap:g}"
        yield Problem(("windows", "boost_cap"), why)
    if windows.max_units < windows.min_units:
        why = f"got {windows.max_units}; write at least min_units, which is {windows.min_units}"
        yield Problem(("windows", "max_units"), why)


def _ramp_problems(experiment: Experiment) -> Iterator[Problem]:
    steps, share = experiment.ramp.steps, experiment.windows.share
    for index, (step, before) in enumerate(zip(steps, (share, *steps), strict=False)):
        if step < before or (index > 0 and step == before):
            why = f"got {step:g} after {before:g}; a ramp only widens"
            yield Problem(("ramp", "steps", index), f"{why}, write a larger share")
            return
    whole = 1.0 - experiment.holdback
    if not math.isclose(steps[-1], whole, abs_tol=_ROUNDING):
        why = f"got {steps[-1]:g}; the last step is all but the holdback, write {whole:g}"
        yield Problem(("ramp", "steps", len(steps) - 1), why)
    if experiment.windows.most > whole + _ROUNDING:
        key = "exploration_cap" if experiment.windows.boost_cap is None else "boost_cap"
        why = f"got {experiment.windows.most:g}; the holdback leaves {whole:g}"
        yield Problem(("windows", key), f"{why}, write at most that")


def _placed(experiment: Experiment, folder: Path) -> Experiment:
    """The experiment with whole paths, which hold wherever it is read from the ledger."""
    metrics = {
        name: metric.model_copy(update={"file": str((folder / metric.file).resolve())})
        if isinstance(metric, Reference)
        else metric
        for name, metric in experiment.metrics.items()
    }
    return experiment.model_copy(update={"metrics": metrics})


def _metric_problems(experiment: Experiment) -> Iterator[Problem]:
    if QUALITY in experiment.metrics:
        why = "is what users send and needs no declaration; choose another name"
        yield Problem(("metrics", QUALITY), why, at_key=True)
    known = [QUALITY, *experiment.metrics]
    if experiment.objective.metric not in known:
        hint = did_you_mean(experiment.objective.metric, known)
        why = f"got {experiment.objective.metric!r}, which `metrics` does not hold; {hint}"
        yield Problem(("objective", "metric"), why)
    for name in experiment.guardrails.metrics:
        if name not in known:
            why = f"not one of `metrics`; {did_you_mean(name, known)}"
            yield Problem(("guardrails", "metrics", name), why, at_key=True)
    yield from _calibration_problems(experiment.metrics)


def _calibration_problems(metrics: Mapping[str, Metric]) -> Iterator[Problem]:
    evaluators = [name for name, metric in metrics.items() if isinstance(metric, Evaluator)]
    for name, metric in metrics.items():
        if isinstance(metric, Calibrated) and metric.by not in evaluators:
            hint = "declare a judge, rule, reference or python metric"
            if evaluators:
                hint = did_you_mean(metric.by, evaluators)
            why = f"got {metric.by!r}, which is no evaluator among `metrics`; {hint}"
            yield Problem(("metrics", name, "by"), why)


def _text_problems(experiment: Experiment, workflow: Workflow, folder: Path) -> Iterator[Problem]:
    """Evaluators read what was asked and answered, so that has to be stored."""
    for name, metric in experiment.metrics.items():
        if isinstance(metric, Builtin):
            continue
        if not workflow.record_text:
            why = f"reads answers, and {experiment.workflow} does not store them"
            yield Problem(("metrics", name), f"{why}; write `record_text: true` there", at_key=True)
        if isinstance(metric, Reference) and not (folder / metric.file).is_file():
            files = [file.name for file in (folder / metric.file).parent.glob("*.jsonl")]
            hint = did_you_mean(Path(metric.file).name, files)
            yield Problem(("metrics", name, "file"), f"got {metric.file!r}, no file; {hint}")


def _slot_problems(experiment: Experiment, workflow: Workflow) -> Iterator[Problem]:
    spare = SPARE_SLOTS + (workflow.holdout > 0.0)
    needed = experiment.windows.concurrent + spare
    if workflow.deploy.slots < needed:
        why = f"needs {needed} slots and {experiment.workflow} has {workflow.deploy.slots}"
        advice = f"write at most {workflow.deploy.slots - spare}"
        if workflow.deploy.slots <= spare:
            advice = "that leaves none for a window"
        hint = f"{advice}, or `deploy.slots: {needed}` there"
        yield Problem(("windows", "concurrent"), f"{why}; {hint}")
