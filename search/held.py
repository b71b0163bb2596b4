"""What the promotions since the installation are worth together, from the units held out."""

from engine.errors import UnmeasuredError
from engine.evidence.measure import Facts, Pair, Shares, measure
from engine.experiment.decide import Figures
from engine.experiment.split import BUCKETS, HELD_OUT
from engine.experiment.state import WorkflowState
from engine.stats.betting import estimate
from search.frozen import mean_of

ESTIMATES = ("lift", "se", "candidate_mean", "baseline_mean")


def against_holdout(
    workflow: WorkflowState, facts: Facts, *, now: float, maturation_s: float
) -> Figures | None:
    """The present baseline against the installed one, as far as it is measured; None without.

    The baseline is the candidate of the figures. They are for showing, not for deciding: a unit
    held out comes back in every epoch, so its outcomes are not independent.
    """
    held = workflow.split.holdout
    if held is None:
        return None
    shares = {
        version: Shares(split.baseline_share * (BUCKETS - held.share) // BUCKETS, held.share)
        for version, split in workflow.splits.items()
        if (split.baseline, split.holdout) == (workflow.baseline, held)
    }
    pair = Pair(
        candidate=workflow.baseline,
        baseline=held.variant,
        candidate_windows=("",),
        baseline_windows=(HELD_OUT,),
        shares=shares,
    )
    sample = measure(facts, pair, now=now, maturation_s=maturation_s)
    figures: Figures = {
        "candidate_units": sample.candidate_units,
        "baseline_units": sample.baseline_units,
        **dict.fromkeys(ESTIMATES),
    }
    try:
        found = estimate(sample.quality, f=mean_of(sample))
    except UnmeasuredError:
        return figures
    return figures | {name: getattr(found, name) for name in ESTIMATES}
