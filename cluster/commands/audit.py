"""`trimtab audit`: which answers a person is asked to label, and what the person says of one."""

import time
from typing import Annotated, NamedTuple

import polars as pl
import typer

from cluster.options import DEFAULT, Json, Workspace
from cluster.output import clock, show, show_json
from cluster.workspace import decisions_of, existing
from engine.books.feedback import FeedbackBook
from engine.books.store import Store
from engine.config.experiment import Experiment
from engine.config.problem import did_you_mean, listed
from engine.errors import ConfigError, FeedbackConflictError, NotFoundError
from engine.evaluate.audit import Audit, audits_of, label_row, waiting
from engine.evidence.facts import Facts


class _Audited(NamedTuple):
    """What an experiment asks people about, and what it has to go by."""

    audit: Audit
    maturation_s: float
    workflow: str
    facts: Facts


def audit(
    experiment: Annotated[str, typer.Argument(help="The experiment.")],
    trace: Annotated[str, typer.Argument(help="The answer's trace id, to label it.")] = "",
    score: Annotated[
        float | None, typer.Argument(help="How good the answer is, from 0 to 1.")
    ] = None,
    workspace: Workspace = DEFAULT,
    metric: Annotated[str, typer.Option(help="Needed where several are calibrated.")] = "",
    most: Annotated[int, typer.Option(help="Show at most so many answers.", min=1)] = 20,
    *,
    as_json: Json = False,
) -> None:
    """List the answers that wait for a person's label, oldest first, or label one.

    Example: trimtab audit docs-qa
    Example: trimtab audit docs-qa 0c5f.9a1b 0.8
    """
    known = _known(workspace, experiment, metric)
    if trace:
        _label(workspace, known, trace, score, as_json=as_json)
    else:
        _list(known, most, as_json=as_json)


def _known(workspace: Workspace, name: str, metric: str) -> _Audited:
    root = existing(workspace)
    with decisions_of(root) as decisions:
        experiments = decisions.state().experiments
    if name not in experiments:
        raise NotFoundError(f"no experiment {name!r} here; {did_you_mean(name, experiments)}")
    experiment = Experiment.model_validate(experiments[name].config)
    audits = audits_of(experiment.metrics)
    if metric and metric not in audits:
        raise ConfigError(f"{metric!r} is not calibrated; {did_you_mean(metric, audits)}")
    if not audits:
        raise ConfigError(
            f"{name} asks nobody for labels; give it a metric of `type: calibrated` and tune it"
        )
    if not metric and len(audits) > 1:
        raise ConfigError(f"--metric is needed; calibrated: {listed(audits)}")
    found = audits[metric or next(iter(audits))]
    workflow = experiments[name].workflow
    store = Store(root)
    try:
        traces = store.read("trace").filter(workflow=workflow)
        facts = Facts(store.read("exposure").head(0), traces, store.read("feedback"))
    finally:
        store.close()
    return _Audited(found, experiment.maturation_s, workflow, facts)


def _list(known: _Audited, most: int, *, as_json: bool) -> None:
    answers = waiting(known.audit, known.facts)
    still = answers.filter(pl.col("at") + known.maturation_s > time.time())
    readable = still.drop_nulls(["question", "answer"])
    if still.height and not readable.height:
        raise ConfigError(
            f"of the answers that wait for a label ({still.height}) none can be read, because "
            f"{known.workflow} does not keep texts; write `record_text: true` in its file and "
            "install it"
        )
    late = answers.height - still.height
    if as_json:
        show_json({"waiting": readable.to_dicts(), "too_late": late})
        return
    for row in readable.head(most).iter_rows(named=True):
        show(f"{row['trace_id']}  {clock(row['at'])}")
        show(f"  question: {row['question']}\n  answer:   {row['answer']}\n")
    show(_summed_up(readable.height, late, most))


def _summed_up(ready: int, late: int, most: int) -> str:
    if not ready:
        said = "no answer waits for a label"
    else:
        shown = f"; the first {most} are shown" if ready > most else ""
        said = f"{ready} wait for a label{shown}; trimtab audit EXPERIMENT TRACE SCORE"
    return f"{said}; {late} got none in time, which speaks against a promotion" if late else said


def _label(
    workspace: Workspace, known: _Audited, trace: str, score: float | None, *, as_json: bool
) -> None:
    if score is None or not 0.0 <= score <= 1.0:
        raise ConfigError(f"got the score {score}; write a number from 0 to 1 after the trace id")
    if trace not in known.facts.traces["trace_id"]:
        raise NotFoundError(f"no trace {trace!r} of {known.workflow}; `trimtab audit` lists some")
    if not known.audit.draws(trace):
        raise ConfigError(
            f"{trace} was not drawn for a label, and only a random share may be labelled; "
            "`trimtab audit EXPERIMENT` lists those that were"
        )
    book = FeedbackBook(existing(workspace) / "feedback.db")
    try:
        row = label_row(known.audit, trace, score, at=time.time())
        outcome = book.record_one(row)
    except FeedbackConflictError as error:
        raise FeedbackConflictError(
            f"{trace} has another label already, which stands; nothing was written"
        ) from error
    finally:
        book.close()
    if as_json:
        show_json({"trace": trace, "score": score, "outcome": outcome})
    else:
        show(f"{trace} is labelled {score:g}" + ("" if outcome == "stored" else ", as before"))
