"""An experiment from its first proposal to its last verdict, as one Tune experiment."""

import logging
import os
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import optuna
from ray import tune
from ray.tune.logger import TBXLoggerCallback

from engine.config.experiment import Experiment, LoadedExperiment, space_of
from engine.config.paths import settings_of
from engine.config.workflow import Workflow
from engine.errors import ConfigError
from engine.experiment.entries import ExperimentEnded, ExperimentStarted, decision_of
from engine.experiment.state import State
from search.abandoned import alone, append, close_abandoned, close_lapsed, is_searched
from search.adding import Wishes
from search.beside import check_beside
from search.books import Decisions
from search.branching import target
from search.direction import Focus, hottest
from search.gate import Gate, passage
from search.outcome import Outcome, outcome_of
from search.scheduler import VerdictScheduler
from search.searcher import OBJECTIVE, Study, TrimtabSearch, storage_of, tell_abandoned
from search.standing import Ledger, standing
from search.trial import Place, trial
from search.warm import start_warm

TRIAL_CPUS = 0.001
"""Trials only wait and read; Tune refuses a trial of no CPU at all."""
AGAIN = 2
"""Times that a trial whose process died is started again."""
POLL_S = 1.0

Progress = Callable[[Mapping[str, Any]], None]
"""Hears every report of every trial, as Tune got it."""


def tune_experiment(
    root: Path, loaded: LoadedExperiment, *, resume: bool, progress: Progress | None = None
) -> Outcome:
    """Search until a promotion or until the trials are spent, and wait for the last ramp's end.

    With `resume` an experiment that goes on in the ledger is taken up where Tune's newest snapshot
    left it: the same trials continue, and their windows' evidence with them.

    Raises:
        ConfigError: Another process searches here, or there is nothing to resume.
        NotFoundError: The workflow is not installed.
    """
    experiment = loaded.experiment
    with alone(root, experiment.experiment):
        decisions = Decisions(root)
        try:
            workflow = target(root, decisions, loaded)
            is_held = partial(is_searched, root)
            check_beside(decisions.state(), workflow, experiment, is_held)
            hot = None if resume else hottest(root, workflow, experiment)
            _begin(decisions, experiment, workflow, resume=resume, focus=hot)
            study = study_name(decisions, experiment.experiment)
            close_abandoned(root, decisions, workflow)
            close_lapsed(decisions, experiment.experiment)
            _fit(root, decisions, experiment, study, resume=resume, progress=progress)
            close_lapsed(decisions, experiment.experiment)
            _await_ramp(decisions, experiment.experiment)
            reason = _end(decisions, experiment.experiment)
            told = optuna.load_study(study_name=study, storage=storage_of(root))
            tell_abandoned(told)
            return outcome_of(decisions.state(), experiment.experiment, told, reason)
        finally:
            decisions.close()


def _begin(
    decisions: Decisions,
    experiment: Experiment,
    workflow: str,
    *,
    resume: bool,
    focus: Focus | None = None,
) -> None:
    """Have the experiment going on in the ledger; one that was left behind is ended first."""
    name = experiment.experiment
    state = decisions.state()
    state.workflow(workflow)
    known = state.experiments.get(name)
    goes_on = known is not None and known.ended is None
    if resume:
        if not goes_on:
            raise ConfigError(f"{name} does not go on, so there is nothing to resume; start it")
        return
    if goes_on:
        close_lapsed(decisions, name)
        append(decisions, ExperimentEnded(experiment=name, reason="begun again"))
    append(
        decisions,
        ExperimentStarted(
            experiment=name,
            workflow=workflow,
            config=experiment.model_dump(mode="json"),
            seed=experiment.seed,
            focus=() if focus is None else focus.paths,
            reason="" if focus is None else focus.reason,
        ),
    )


def _fit(
    root: Path,
    decisions: Decisions,
    experiment: Experiment,
    study: str,
    *,
    resume: bool,
    progress: Progress | None,
) -> None:
    """Let Tune make trials until the searcher says that the experiment is over."""
    # Tune's own tables would mix with what the command prints; only its older printer is silent.
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    # Two of the three would repeat what the books say; TensorBoard's is asked for by name.
    os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
    os.environ.setdefault("TUNE_DISABLE_STRICT_METRIC_CHECKING", "1")
    os.environ.setdefault("TUNE_GLOBAL_CHECKPOINT_S", "5")
    # Ctrl-C must leave an experiment that can be resumed, not one that seems to be complete.
    os.environ.setdefault("TUNE_DISABLE_SIGINT_HANDLER", "1")
    # It would warn of each trial without a result file; only TensorBoard's files are written.
    logging.getLogger("ray.tune.analysis.experiment_analysis").setLevel(logging.ERROR)
    place = Place(root=root.resolve(), experiment=experiment.experiment)

    def window_trial(config: dict[str, Any]) -> None:
        trial(config, place)

    trainable = tune.with_resources(window_trial, {"cpu": TRIAL_CPUS})
    folder = root.resolve() / "tune" / study
    if resume and any(folder.glob("experiment_state-*.json")):
        tuner = tune.Tuner.restore(str(folder), trainable=trainable, resume_unfinished=True)
    else:
        state = decisions.state()
        tuner = _tuner(root.resolve(), state, experiment, study, trainable)
    Heard.listener = progress
    try:
        tuner.fit()
    finally:
        Heard.listener = None


def _tuner(
    root: Path,
    state: State,
    experiment: Experiment,
    study: str,
    trainable: Any,
) -> tune.Tuner:
    known = state.experiments[experiment.experiment]
    workflow = state.workflow(known.workflow)
    space = space_of(experiment)
    search = TrimtabSearch(
        space,
        settings_of(Workflow.model_validate(workflow.config)),
        Study(
            name=study,
            storage=storage_of(root),
            startup_trials=experiment.sampler.startup_trials,
            seed=experiment.seed,
            proposer=experiment.sampler.name,
            mde=experiment.objective.mde,
            focus=known.focus,
        ),
        Gate(root, experiment.experiment),
        Wishes(root, experiment.experiment),
        Ledger(root, experiment.experiment),
    )
    start_warm(search.study, workflow, space, standing(state, experiment.experiment).limits)
    return tune.Tuner(
        trainable,
        tune_config=tune.TuneConfig(
            search_alg=search,
            scheduler=VerdictScheduler(),  # type: ignore[no-untyped-call]  # Tune's own
            num_samples=experiment.windows.max_trials,
            max_concurrent_trials=experiment.windows.concurrent,
            metric=OBJECTIVE,
            mode="max",
            reuse_actors=True,
            # The parameters are in the ledger; in a path they would be cut off or not allowed.
            trial_name_creator=_name_of,
            trial_dirname_creator=_name_of,
        ),
        run_config=tune.RunConfig(
            name=study,
            storage_path=str(root / "tune"),
            # Tune pickles both with the experiment, so a resumed one has them too.
            callbacks=[
                Heard(Place(root=root, experiment=experiment.experiment)),
                TBXLoggerCallback(),  # type: ignore[no-untyped-call]  # Tune's own
            ],
            failure_config=tune.FailureConfig(max_failures=AGAIN),
            verbose=0,
        ),
    )


def _name_of(trial: Any) -> str:
    return str(trial.trial_id)


class Heard(tune.Callback):
    """Passes reports on to whoever listens in this process, and tidies up after broken trials.

    Tune pickles its callbacks with the experiment, so the listener belongs to the class: a resumed
    experiment is heard by the process that resumed it.
    """

    listener: ClassVar[Progress | None] = None

    def __init__(self, place: Place) -> None:
        self._place = place

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **_: Any
    ) -> None:
        """Pass one report on."""
        if Heard.listener is not None:
            Heard.listener(result)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:
        """Close the window of a trial that failed for good, or it would take room for ever."""
        decisions = Decisions(self._place.root)
        try:
            close_lapsed(decisions, self._place.experiment, trial=str(trial.trial_id))
        finally:
            decisions.close()


def study_name(decisions: Decisions, experiment: str) -> str:
    """The experiment's name, numbered from its second beginning on.

    Trials of an earlier beginning were measured against a baseline that may be another one now.
    """
    begun = sum(
        isinstance(decision, ExperimentStarted) and decision.experiment == experiment
        for decision in map(decision_of, decisions.ledger.read())
    )
    return experiment if begun == 1 else f"{experiment}-{begun}"


def _await_ramp(decisions: Decisions, experiment: str) -> None:
    """Wait while the selector ramps what was nominated; the ramp itself needs nobody here."""
    while passage(decisions.state(), experiment, time.time()) == "waiting":
        time.sleep(POLL_S)


def _end(decisions: Decisions, experiment: str) -> str:
    known = decisions.state().experiments[experiment]
    promoted = known.promoted[-1] if known.promoted else None
    if known.ended is not None:
        return known.ended
    reason = "promoted" if promoted else "no candidate was proved better"
    append(decisions, ExperimentEnded(experiment=experiment, reason=reason, promoted=promoted))
    return reason
