"""The original article's rule, to compare with: one look at a window of fixed length."""

from engine.experiment.figures import Figures
from engine.experiment.rules import Rules
from engine.experiment.verdict import Verdict, verdict_of

LEAD = 0.02
"""Of the candidate's mean score over the baseline's."""
RATIO = 1.2
"""Of their latencies, at most."""


def by_article(figures: Figures, rules: Rules) -> Verdict:
    """Promote at the end of the window by the raw means; it proves nothing."""
    units = figures["candidate_units"] or 0
    if units < rules.max_units:
        reason = f"{units} of {rules.max_units} units of the fixed window"
        return verdict_of("continue", "too_early", reason, figures)
    own, other, ratio = (
        figures[name] for name in ("candidate_mean", "baseline_mean", "latency_ratio")
    )
    if own is None or other is None or ratio is None:
        reason = f"not measured after {units} candidate units"
        return verdict_of("stop", "budget", reason, figures)
    found = f"{own - other:+.3f} and {ratio:.2f} times the latency after {units} units"
    if own - other < LEAD or ratio > RATIO:
        return verdict_of("stop", "rule", f"the article's rule refuses {found}", figures)
    if rules.needs_approval:
        return verdict_of("hold", "approval", f"{found}; a person has to approve it", figures)
    return verdict_of("promote", "rule", f"the article's rule takes {found}", figures)
