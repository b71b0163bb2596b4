"""The end of a demonstration, told to a person."""

from typing import Any


def verdict_in_words(result: dict[str, Any]) -> str:
    """What was tried, what came of it, and how sure that is."""
    baseline, promoted, holdout = result["baseline"], result["promoted"], result["holdout"]
    lines = [
        f"{result['requests']} requests, {result['errors']} failed; "
        f"{result['traces_stored']} of {result['traces_acknowledged']} acknowledged traces stored."
    ]
    causes: dict[str, int] = {}
    for trial in result["trials"]:
        causes[trial["cause"]] = causes.get(trial["cause"], 0) + 1
    tried = ", ".join(f"{count} ended by {cause}" for cause, count in sorted(causes.items()))
    lines.append(f"{len(result['trials'])} variants were tried: {tried or 'none'}.")
    if promoted is None:
        lines.append(f"Nothing was proved better than {baseline['config_hash']}: it stays.")
    else:
        changes = ", ".join(f"{path} = {value}" for path, value in promoted["changed"].items())
        lines += [
            f"{promoted['config_hash']} was promoted. It changes {changes}.",
            f"Its answers were rated better by {_points(promoted['lift'])}, at least "
            f"{_points(promoted['lift_low'])} (evidence e^{promoted['log_e']:.1f}).",
            f"On held-out questions: {holdout['baseline']:.1%} before, {holdout['promoted']:.1%} "
            f"after; the difference lies between {_points(holdout['low'])} and "
            f"{_points(holdout['high'])}.",
        ]
    lines.append(
        f"{result['seconds']:.0f} s, {result['peak_memory_mb']} MB at most. "
        f"Report: {result['report']}"
    )
    return "\n".join(lines)


def _points(difference: float) -> str:
    """A difference of two shares, in percentage points."""
    return f"{100 * difference:+.1f} points"
