"""Where an experiment takes place: on its whole workflow, or on the branch of one segment."""

from pathlib import Path

from engine.config.experiment import LoadedExperiment
from engine.config.problem import did_you_mean
from engine.errors import ConfigError
from engine.experiment.branch import branch_of
from engine.experiment.entries import Decision, Installed
from engine.experiment.state import State
from search.abandoned import append
from search.books import Decisions, FactsFollower
from search.frozen import segments_of


def target(root: Path, decisions: Decisions, loaded: LoadedExperiment) -> str:
    """The workflow that the experiment searches; a branch begins as its root is now.

    From then on the segment's requests follow the branch, whatever is promoted for the others.

    Raises:
        ConfigError: No request of the segment was ever met.
        NotFoundError: The workflow is not installed.
    """
    workflow, segment = loaded.workflow.workflow, loaded.experiment.segment
    decisions.state().workflow(workflow)
    if segment is None:
        return workflow
    branch = branch_of(workflow, segment)
    met = segments_of(FactsFollower(root).follow())
    if segment not in met and branch not in decisions.state().workflows:
        why = f"no request of the segment {segment!r} was met so far"
        raise ConfigError(f"{loaded.path}: {why}; {did_you_mean(segment, met)}")

    def begun(state: State) -> Decision | None:
        if branch in state.workflows:
            return None
        known = state.workflow(workflow)
        baseline = known.variants[known.baseline]
        return Installed(workflow=branch, baseline=baseline, workflow_config=known.config)

    append(decisions, begun)
    return branch
