"""From the two books to the sample of a window: the one way, for deciding and for verifying."""

from engine.config.experiment import Experiment
from engine.evidence.measure import Facts, Pair, Shares, measure
from engine.experiment.decide import Rules
from engine.experiment.split import Split
from engine.experiment.state import WorkflowState
from engine.experiment.verdict import Evidence
from engine.experiment.window import Window
from engine.stats.sample import Sample


def pair_of(workflow: WorkflowState, window: Window, *, since: int = 0) -> Pair:
    """Whose units a window compares, with those of the windows that it continues.

    `since` leaves out snapshot versions before it: a step of a ramp is judged on its own traffic.
    """
    if window.kind == "holdback":
        return _holdback_pair(workflow, window)
    ids = tuple(one.id for one in workflow.chain(window))
    shares = {
        version: Shares(_share(split, ids), split.baseline_share)
        for version, split in workflow.splits.items()
        if version >= since and split.baseline == window.baseline and _share(split, ids)
    }
    return Pair(
        candidate=window.candidate,
        baseline=window.baseline,
        candidate_windows=ids,
        baseline_windows=("",),
        shares=shares,
    )


def _holdback_pair(workflow: WorkflowState, window: Window) -> Pair:
    """The promoted variant against the former baseline, with the promoted one as candidate."""
    shares = {
        version: Shares(split.baseline_share, split.share_of(window.id))
        for version, split in workflow.splits.items()
        if split.share_of(window.id)
    }
    return Pair(
        candidate=window.baseline,
        baseline=window.candidate,
        candidate_windows=("",),
        baseline_windows=(window.id,),
        shares=shares,
    )


def _share(split: Split, windows: tuple[str, ...]) -> int:
    return sum(split.share_of(window) for window in windows)


def rules_of(experiment: Experiment, window: Window, *, high_risk: bool) -> Rules:
    """What this experiment asks of this window's candidate."""
    return Rules(
        alpha=window.alpha,
        f0=window.f0,
        mde=experiment.objective.mde,
        latency_ratio=experiment.guardrails.latency_ratio,
        error_margin=experiment.guardrails.error_margin,
        min_units=experiment.windows.min_units,
        max_units=experiment.windows.max_units,
        min_cycle_s=experiment.min_cycle_s,
        needs_approval=experiment.mode != "auto" or high_risk,
    )


def sample_of(
    facts: Facts, pair: Pair, experiment: Experiment, *, upto: int, now: float
) -> tuple[Sample, Evidence]:
    """The pair's sample at `now`, and the words by which it can be measured again."""
    sample = measure(facts, pair, now=now, maturation_s=experiment.maturation_s)
    return sample, Evidence(upto=upto, now=now, digest=sample.digest)
