"""The measurement in plain loops: slow, obvious, and written apart from the fast one."""

from math import log


def units_of(exposures, traces, feedback, pair, *, now, maturation_s):
    """Every unit of the pair as a dict, by (unit, epoch)."""
    groups, elsewhere = {}, {}
    for row in sorted(exposures, key=lambda row: (row["at"], row["trace_id"])):
        key, side = (row["unit_id"], row["epoch"]), side_of(row, pair)
        if side is not None:
            groups.setdefault(key, []).append((row, side))
        elif counts(row, pair):
            elsewhere.setdefault(key, row["at"])
    return {
        key: unit_of(rows, traces, feedback, now=now, maturation_s=maturation_s)
        for key, rows in groups.items()
        if rows[0][0]["at"] <= elsewhere.get(key, rows[0][0]["at"])
    }


def side_of(row, pair):
    """Whether an exposure counts for the candidate, the baseline, or not at all."""
    if not counts(row, pair):
        return None
    met = (row["variant"], row["window"])
    if met[0] == pair.candidate and met[1] in pair.candidate_windows:
        return "candidate"
    if met[0] == pair.baseline and met[1] in pair.baseline_windows:
        return "baseline"
    return None


def counts(row, pair):
    """Whether an exposure was assigned under one of the pair's splits, with its windows alive."""
    if row["forced"] or row["version"] not in pair.shares:
        return False
    windows = {*pair.candidate_windows, *pair.baseline_windows}
    return not windows & set(row["lapsed"].strip(",").split(",")) - {""}


def unit_of(rows, traces, feedback, *, now, maturation_s):
    first, side = rows[0]
    until = first["at"] + maturation_s
    scores, seconds, failed = [], [], False
    for row, _ in rows:
        if row["at"] > until:
            continue
        bad, duration_s, score = request_of(row, traces, feedback, until=until, now=now)
        failed = failed or bad
        scores += [0.0] if bad else [] if score is None else [score]
        seconds += [] if duration_s is None else [duration_s]
    return {
        "version": first["version"],
        "side": side,
        "at": first["at"],
        "matured": until <= now,
        "failed": failed,
        "score": sum(scores) / len(scores) if scores else None,
        "log_s": log(sum(seconds) / len(seconds)) if sum(seconds) > 0 else None,
    }


def request_of(row, traces, feedback, *, until, now):
    """Whether one request failed, its seconds if it succeeded, and its last rating."""
    answers = [
        trace
        for trace in traces
        if trace["trace_id"] == row["trace_id"] and row["at"] + trace["duration_s"] <= until
    ]
    if not answers:
        bad, duration_s = until <= now, None
    else:
        bad = answers[0]["status"] != "ok"
        duration_s = None if bad else answers[0]["duration_s"]
    said = [
        (word["at"], word["score"])
        for word in feedback
        if word["trace_id"] == row["trace_id"]
        and word["metric"] == "quality"
        and word["at"] <= until
    ]
    return bad, duration_s, max(said)[1] if said else None


def cells_of(units, pair):
    """The sample's cells as plain numbers, one dict for each version that has units."""
    cells = []
    for version, shares in sorted(pair.shares.items()):
        here = [unit for unit in units.values() if unit["version"] == version]
        if here:
            pi = shares.candidate / (shares.candidate + shares.baseline)
            cells.append({"pi": pi, **cell_of(here)})
    return cells


def cell_of(units):
    old = [unit for unit in units if unit["matured"]]
    sides = {name: [u for u in old if u["side"] == name] for name in ("candidate", "baseline")}
    met = [sum(unit["side"] == name for unit in units) for name in sides]
    bad = [unit for unit in units if unit["failed"]]
    return {
        "scores": [levels(unit["score"] for unit in some) for some in sides.values()],
        "unrated": [sum(unit["score"] is None for unit in some) for some in sides.values()],
        "fine": [sum(not unit["failed"] for unit in some) for some in sides.values()],
        "errors": (sum(unit["side"] == "candidate" for unit in bad), len(bad)),
        "exposed": tuple(met),
        "log_s": [
            sorted(unit["log_s"] for unit in some if unit["log_s"] is not None)
            for some in sides.values()
        ],
    }


def levels(scores):
    counts = [0] * 101
    for score in scores:
        if score is not None:
            counts[round(score * 100)] += 1
    return counts
