"""How the traffic for trying candidates is shared among them, from what is known of each."""

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

from engine.config.experiment import Experiment
from engine.evidence.measure import Facts
from engine.experiment.decide import Figures
from engine.experiment.entries import Reallocated
from engine.experiment.shares import LEAST
from engine.experiment.split import BUCKETS
from engine.experiment.state import State
from engine.experiment.verdict import Evidence, Verdict
from engine.experiment.window import Window
from engine.stats.allocation import (
    bandit_shares,
    exploration_of,
    posterior,
    thompson_shares,
    top_two_shares,
)
from search.assessed import assess_trial
from search.room import buckets, fitted, trials_of

KNOWN = ("lift", "se", "candidate_units")
MOVES = 0.2
"""A share that changes by less than this part of itself is not worth another split."""
FLOOR = 0.02
"""Of the exploration, for a candidate that is hardly ever the one to try."""
DRAWS = 4_096
"""With fewer, chance alone would move a small share by more than `MOVES`."""


def reallocation(
    state: State, name: str, facts: Facts, *, upto: int, now: float
) -> Reallocated | None:
    """The experiment's next sharing of traffic; None where nothing worth it changes.

    The same books give the same shares: the draws are seeded by the experiment and the ledger's
    head.
    """
    known = state.experiments[name]
    experiment = Experiment.model_validate(known.config)
    workflow = state.workflow(known.workflow)
    windows = trials_of(workflow, name)
    if experiment.windows.allocation == "even" or not windows:
        return None
    verdicts = {
        one.id: assess_trial(workflow, experiment, one, facts, upto=upto, now=now)
        for one in windows
    }
    figures = {id_: _kept(verdict) for id_, verdict in verdicts.items()}
    if all(one["lift"] is None for one in figures.values()):
        return None
    rng = np.random.default_rng((known.seed, state.seq))
    shares = shares_of(experiment, figures, rng)
    if not is_worth_it(windows, shares):
        return None
    return Reallocated(
        experiment=name,
        workflow=workflow.name,
        shares={one.id: shares[one.id] for one in windows if shares[one.id] != one.share},
        cap=buckets(experiment.windows.most),
        reason=f"by {experiment.windows.allocation}: the more promising a candidate, the more",
        figures=figures,
        evidence=Evidence(upto=upto, now=now, digest=_digest(verdicts)),
    )


def reallocation_mismatch(
    state: State, decision: Reallocated, evidence: Evidence, facts: Facts
) -> str | None:
    """Why recorded shares do not follow from the books as they were; None if they do."""
    found = reallocation(state, decision.experiment, facts, upto=evidence.upto, now=evidence.now)
    if found is None:
        return "the books give no reason to share traffic anew"
    if found.evidence != evidence:
        return "the outcomes behind it are not the stored ones: their digest differs"
    if found.shares != decision.shares or found.cap != decision.cap:
        return f"the shares are recorded as {decision.shares}; the books give {found.shares}"
    return None


def shares_of(
    experiment: Experiment, figures: Mapping[str, Figures], rng: np.random.Generator
) -> dict[str, int]:
    """Buckets by window, after what is known of each.

    `windows.share` a candidate is what they have together, until one of them looks good.
    """
    windows = experiment.windows
    beliefs = [posterior(one["lift"], one["se"]) for one in figures.values()]
    units = [int(one["candidate_units"] or 0) for one in figures.values()]
    usual = min(len(beliefs) * windows.share, windows.exploration_cap)
    exploration = exploration_of(beliefs, units, usual=usual, cap=windows.most)
    share_out = top_two_shares if windows.allocation == "top-two" else thompson_shares
    if experiment.policy == "bandit":
        exploration, share_out = windows.most, bandit_shares
    shares = share_out(beliefs, exploration=exploration, floor=FLOOR, draws=DRAWS, rng=rng)
    wanted = {id_: share * BUCKETS for id_, share in zip(figures, shares, strict=True)}
    return fitted(wanted, buckets(exploration))


def is_worth_it(windows: Sequence[Window], shares: Mapping[str, int]) -> bool:
    """Whether some share moves enough to justify another split."""
    moves = any(abs(shares[one.id] - one.share) > MOVES * one.share for one in windows)
    return moves and min(shares.values()) >= LEAST


def _kept(verdict: Verdict) -> Figures:
    return {name: verdict.figures[name] for name in KNOWN}


def _digest(verdicts: Mapping[str, Verdict]) -> str:
    """One digest over the outcomes of all windows."""
    seen = hashlib.sha256()
    for id_, verdict in verdicts.items():
        seen.update(f"{id_} {verdict.evidence.digest if verdict.evidence else ''}\n".encode())
    return seen.hexdigest()
