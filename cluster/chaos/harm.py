"""Whether a fault in one variant hurt another, beyond the other's own noise."""

from collections.abc import Sequence

import numpy as np
from scipy import stats

from cluster.chaos.evidence import Evidence, Landed, Verdict, verdict
from cluster.chaos.journal import Try

ALPHA = 1e-3
"""A verdict is wrongly red at most this often, for each of the two questions of a fault."""
SLOWER = 2.0
"""So many times its usual 99th percentile a request may take before it counts as slow."""
FEW = 50
"""Fewer requests of another variant tell nothing of its tail."""


def no_harm_to_others(evidence: Evidence) -> Verdict:
    """While one variant fails, the success rate and the tail of the others stay their own."""
    checked, broken = 0, []
    for fault in evidence.landed:
        if not fault.aimed_at or not fault.did_land:
            continue
        during, usual = _others(evidence, fault)
        checked += len(during)
        broken += _failing(fault, during, usual) + _slow(fault, during, usual)
    found = verdict("I5", "a fault in one variant leaves the others alone", checked, broken)
    return found if checked else found.model_copy(update={"holds": None})


def _others(evidence: Evidence, fault: Landed) -> tuple[list[Try], list[Try]]:
    """The other variants' requests while the fault lasted, and while none did."""
    others = [
        one for one in evidence.journal.tries if one.variant and one.variant != fault.aimed_at
    ]
    during = [one for one in others if fault.began_at <= one.began_at <= fault.ended_at]
    usual = [
        one
        for one in others
        if not any(_meets(one, other) for other in evidence.landed if other.did_land)
    ]
    return during, usual


def _meets(one: Try, fault: Landed) -> bool:
    return one.began_at <= fault.ended_at and one.ended_at >= fault.began_at


def _failing(fault: Landed, during: Sequence[Try], usual: Sequence[Try]) -> list[str]:
    failed = sum(not one.is_ok for one in during)
    before = sum(not one.is_ok for one in usual)
    table = [[failed, len(during) - failed], [before, len(usual) - before]]
    if float(stats.fisher_exact(table, alternative="greater").pvalue) >= ALPHA:
        return []
    return [
        f"{fault.action}: {failed} of {len(during)} requests of other variants failed, "
        f"{before} of {len(usual)} did otherwise"
    ]


def _slow(fault: Landed, during: Sequence[Try], usual: Sequence[Try]) -> list[str]:
    times = [one.ended_at - one.began_at for one in usual if one.is_ok]
    taken = [one.ended_at - one.began_at for one in during if one.is_ok]
    if len(times) < FEW or len(taken) < FEW:
        return []
    limit_s = SLOWER * float(np.percentile(times, 99))
    slow = sum(one > limit_s for one in taken)
    # At most 1 % are slower than the usual percentile by its definition, fewer than twice it.
    if float(stats.binomtest(slow, len(taken), 0.01, alternative="greater").pvalue) >= ALPHA:
        return []
    return [f"{fault.action}: {slow} of {len(taken)} answers of others took over {limit_s:.2f} s"]
