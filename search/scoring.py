"""Evaluates answers while an experiment goes on, and records the scores among the feedback."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl

from engine.books.feedback import FeedbackBook
from engine.config.experiment import Experiment
from engine.config.metric import Evaluator, stored_as
from engine.errors import ConfigError
from engine.evaluate.audit import audited_rows, audits_of
from engine.evaluate.evaluator import Score, Trace, evaluator_of
from engine.evaluate.run import Row, evaluated, unevaluated
from engine.evidence.facts import Facts
from engine.experiment.state import ExperimentState
from search.books import Decisions, FactsFollower

log = logging.getLogger("trimtab.scoring")

MOST = 200
"""Answers that one look evaluates by one metric, so that a slow judge can't hold up the others."""


class Scoring:
    """Scores every new answer of the workflows whose experiments declare evaluators.

    An evaluation counts like a user's rating: at the moment it is made, so it has to be made
    within the experiment's maturation. Each answer is tried once. A calibrated metric takes the
    score of its evaluator at once, or waits for a person's label where one is asked for.
    """

    def __init__(self, root: Path, clock: Callable[[], float]) -> None:
        self._book = FeedbackBook(root / "feedback.db")
        self._decisions = Decisions(root)
        self._facts = FactsFollower(root, whole=True)
        self._clock = clock
        self._prepared: dict[str, dict[str, Score]] = {}
        self._tried: dict[tuple[str, str], set[str]] = {}

    def look(self) -> int:
        """Evaluate what came in since; answers with the number of scores recorded."""
        known = self._decisions.state().experiments.values()
        going_on = [one for one in known if one.ended is None and one.config.get("metrics")]
        return sum(self._score(one, self._facts.follow()) for one in going_on)

    def close(self) -> None:
        """Let go of the books."""
        self._book.close()
        self._decisions.close()

    def _score(self, known: ExperimentState, facts: Facts) -> int:
        experiment = Experiment.model_validate(known.config)
        if known.name not in self._prepared:
            self._prepared[known.name] = _prepared(experiment)
        since = max(known.started_at, self._clock() - experiment.maturation_s)
        own = replace(facts, traces=facts.traces.filter(workflow=known.workflow))
        rows: list[Row] = []
        for name, score in self._prepared[known.name].items():
            waiting = unevaluated(own, name, since=since)
            news = self._untried((known.name, name), waiting)
            rows += evaluated(news, name, score, at=self._clock())
        rows += _calibrated(experiment, own, rows, since=since, at=self._clock())
        return self._book.record(rows).count("stored") if rows else 0

    def _untried(self, key: tuple[str, str], waiting: Sequence[Trace]) -> Sequence[Trace]:
        """The next answers that were never tried; those that can't count any more are forgotten."""
        tried = self._tried.get(key, set())
        news = [trace for trace in waiting if trace["trace_id"] not in tried][:MOST]
        still = {trace["trace_id"] for trace in waiting} & tried
        self._tried[key] = still | {trace["trace_id"] for trace in news}
        return news


def _calibrated(
    experiment: Experiment, own: Facts, rows: Sequence[Row], *, since: float, at: float
) -> list[Row]:
    """What the evaluators' scores, those in `rows` among them, make of calibrated metrics."""
    answered = replace(own, traces=own.traces.filter(pl.col("at") >= since, status="ok"))
    audits = audits_of(experiment.metrics).values()
    return [row for audit in audits for row in audited_rows(audit, answered, rows, at=at)]


def _prepared(experiment: Experiment) -> dict[str, Score]:
    """The experiment's evaluators; one that can't be prepared is left out, and that is logged."""
    prepared = {}
    for name, metric in experiment.metrics.items():
        if not isinstance(metric, Evaluator):
            continue
        try:
            prepared[stored_as(name, metric)] = evaluator_of(metric, Path())
        except ConfigError:
            log.exception("metric %s of %s can't be evaluated", name, experiment.experiment)
    return prepared
