"""A report's contents as the plain values that its templates print."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from engine.experiment.decide import (
    ERROR_LOG_E,
    GUARDRAIL_LOG_E,
    HARM_LOG_E,
    MISSING_LOG_E,
    SRM_LOG_E,
    Figures,
)
from engine.stats.interval import Interval
from search.reports.charts import label_of
from search.reports.contents import Contents, Promotion, Tried
from search.telling import Changes
from search.words import UNMEASURED, count, margin, odds, percent, points, setting, share, times

CAPTIONS = {
    "evidence": "Evidence that each candidate is better, over its matured units, which may be "
    "looked at at any time. Dashed: what was needed to be promoted.",
    "shares": "Share of the traffic as the ledger planned it.",
    "quality": "Mean rating of each candidate with the 95 % interval of its difference to the "
    "baseline; the dark tick is the baseline at the same time.",
    "latency": "Latency of each candidate with its 95 % interval; the dark tick is the baseline "
    "at the same time.",
}
MISSING = {
    "evidence": "no unit had matured in any window",
    "shares": "no split was decided",
    "quality": "no window has ratings on both sides",
    "latency": "no window has enough finished requests on both sides",
}


def page_of(contents: Contents) -> dict[str, Any]:
    """Everything that a template prints, in words."""
    experiment = contents.experiment
    return {
        "name": contents.state.name,
        "workflow": contents.workflow.name,
        "headline": _headline(contents),
        "facts": _facts(contents),
        "changes": _rows(contents.promotion.changes if contents.promotion else {}),
        "holdout": _holdout(contents.extra),
        "cycle": _cycle(contents),
        "windows": [_window(one) for one in contents.tried],
        "segments": [row for one in contents.trials for row in _segments(one)],
        "guardrails": [_guardrails(one) for one in contents.trials],
        "limits": {
            "latency": f"{experiment.guardrails.latency_ratio:g} times the baseline's",
            "errors": margin(experiment.guardrails.error_margin),
            "proof": odds(GUARDRAIL_LOG_E),
            "harm": odds(HARM_LOG_E),
            "failing": odds(ERROR_LOG_E),
            "srm": odds(SRM_LOG_E),
            "missing": odds(MISSING_LOG_E),
        },
        "alpha": _alpha(contents),
        "decisions": [
            {"seq": one.seq, "at": _time(one.at), "text": one.text, "reason": one.reason}
            for one in contents.decisions
        ],
        "head": {"seq": contents.head.seq, "hash": contents.head.hash},
        "captions": CAPTIONS,
        "missing": MISSING,
    }


def _headline(contents: Contents) -> str:
    promotion = contents.promotion
    if promotion is None:
        tail = "is still going on" if contents.state.ended is None else "stays as it was"
        return f"Nothing was proved better than the baseline; {contents.workflow.name} {tail}."
    if promotion.rolled_back is not None:
        return (
            f"{promotion.after} was promoted and taken back: {promotion.rolled_back}. "
            f"{promotion.before} is the baseline again."
        )
    return f"{promotion.after} was promoted over {promotion.before}. {_gain(promotion)}"


def _gain(promotion: Promotion) -> str:
    figures = promotion.nomination
    if figures.get("lift") is None:
        return f"By how much it is better was {UNMEASURED}."
    low = figures.get("lift_low")
    least = "" if low is None or low <= -1.0 else f", at least {points(low)}"
    expected = promotion.expected_lift
    hope = "" if expected is None else f" A winner is partly lucky: expect {points(expected)}."
    return f"Users rated its answers better by {points(figures.get('lift'))}{least}.{hope}"


def _facts(contents: Contents) -> list[tuple[str, str]]:
    minutes = (contents.until - contents.started_at) / 60.0
    trials = sum(one.window.kind == "trial" for one in contents.tried)
    demo = contents.extra.get("demo", {})
    facts = [
        ("began", _time(contents.started_at)),
        ("lasted", f"{minutes:.1f} minutes"),
        ("requests", count(contents.requests)),
        ("candidates tried", count(trials)),
        ("mode", contents.experiment.mode),
        ("ended", contents.state.ended or "not yet"),
    ]
    for key, title in (("errors", "failed requests"), ("peak_memory_mb", "peak memory, MB")):
        if demo.get(key) is not None:
            facts.append((title, count(demo[key])))
    return facts


def _holdout(extra: Mapping[str, Any]) -> str:
    held = extra.get("holdout") or extra.get("demo", {}).get("holdout") or {}
    before, after = held.get("baseline"), held.get("promoted")
    if before is None:
        return "Held-out questions were not asked."
    if after is None:
        return f"On held-out questions the baseline reaches {percent(before)}; nothing replaced it."
    low, high = held.get("low"), held.get("high")
    spread = (
        f"the interval of the difference was {UNMEASURED}"
        if low is None or high is None
        else f"the difference lies between {points(low)} and {points(high)} (95 %, paired)"
    )
    return f"On held-out questions: {percent(before)} before, {percent(after)} after; {spread}."


def _cycle(contents: Contents) -> str:
    cycle_s = contents.experiment.min_cycle_s
    if cycle_s == 0:
        return "No daily cycle was observed: whether the result holds at other hours is not known."
    return f"Every promoted candidate was observed for at least {cycle_s / 3600:g} hours."


def _alpha(contents: Contents) -> str:
    spent, whole = contents.alpha_spent, contents.experiment.alpha
    return (
        f"The candidates' levels add up to {spent:.4f} of {whole:g}: expected false promotions at "
        f"most {spent:.4f}."
    )


def _window(one: Tried) -> dict[str, Any]:
    window, figures = one.window, one.figures
    verdict = window.verdict
    units = [count(figures.get(f"{side}_units")) for side in ("candidate", "baseline")]
    return {
        "id": window.id,
        "kind": window.kind,
        "variant": window.candidate,
        "share": share(window.share),
        "units": " / ".join(units),
        "lift": _plus_minus(figures),
        "log_e": _figure(figures.get("log_e")),
        "needed": "nothing" if one.needed is None else _figure(one.needed),
        "verdict": f"{verdict.action}: {verdict.cause}" if verdict else "open",
        "words": one.words,
        "reason": verdict.reason if verdict else "",
        "changes": _rows(one.changes),
    }


def _plus_minus(figures: Figures) -> str:
    lift, se = figures.get("lift"), figures.get("se")
    if lift is None or se is None:
        return UNMEASURED
    return f"{points(lift)} ± {196 * se:.1f}"


def _guardrails(one: Tried) -> dict[str, str]:
    figures = one.figures
    return {
        "variant": label_of(one),
        "latency": times(figures.get("latency_ratio"))
        if figures.get("latency_ratio")
        else UNMEASURED,
        "tail": _ratio(one.tail),
        "latency_proof": _figure(figures.get("latency_log_e")),
        "errors_proof": _figure(figures.get("no_error_log_e")),
        "harm": _figure(figures.get("harm_log_e")),
        "failing": _figure(figures.get("error_log_e")),
        "srm": _figure(figures.get("srm_log_e")),
        "missing": _figure(figures.get("missing_log_e")),
    }


def _segments(one: Tried) -> list[dict[str, str]]:
    return [
        {
            "variant": label_of(one),
            "segment": name,
            "units": f"{count(found.candidate_units)} / {count(found.baseline_units)}",
            "candidate": percent(found.candidate_mean),
            "baseline": percent(found.baseline_mean),
            "lift": f"{points(found.lift)} ± {196 * found.se:.1f}",
        }
        for name, found in one.by_segment.items()
    ]


def _figure(figure: float | None) -> str:
    return UNMEASURED if figure is None else f"{figure:.2f}"


def _rows(changes: Changes) -> list[tuple[str, str, str]]:
    return [(path, setting(before), setting(after)) for path, (before, after) in changes.items()]


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _ratio(interval: Interval | None) -> str:
    if interval is None:
        return UNMEASURED
    return f"{times(interval.estimate)} ({interval.low:.2f} to {interval.high:.2f})"
