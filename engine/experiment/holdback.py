"""Whether a promotion stands, from the former baseline's concurrent traffic."""

from engine.experiment.figures import Figures
from engine.experiment.rules import ERROR_LOG_E, HARM_LOG_E, REGRESSION_LOG_E
from engine.experiment.verdict import Verdict, verdict_of


def decide_holdback(figures: Figures) -> Verdict:
    """The verdict on a promotion, from the former baseline's concurrent traffic.

    A promoted variant that is worse by anything was a mistake: no margin is given here.
    """
    worse = figures["mistake_log_e"]
    if worse is not None and worse >= HARM_LOG_E:
        reason = f"the promoted variant is worse than the one before: log e {worse:.2f}"
        return verdict_of("rollback", "harm", reason, figures)
    errors = figures["error_log_e"]
    if errors is not None and errors >= ERROR_LOG_E:
        reason = f"the promoted variant fails more than the one before: log e {errors:.2f}"
        return verdict_of("rollback", "errors", reason, figures)
    drifted = figures.get("regression_log_e")
    if drifted is not None and drifted >= REGRESSION_LOG_E:
        reason = f"the promoted variant became worse than the one before: log e {drifted:.2f}"
        return verdict_of("rollback", "regression", reason, figures)
    failing = figures.get("error_regression_log_e")
    if failing is not None and failing >= REGRESSION_LOG_E:
        reason = f"the promoted variant began to fail more: log e {failing:.2f}"
        return verdict_of("rollback", "regression", reason, figures)
    return verdict_of("continue", "undecided", "the promotion stands", figures)
