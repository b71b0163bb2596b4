"""The main job: serve, observe, search, promote and explain, on real traffic, in minutes."""

import asyncio
import contextlib
import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import ray
from pydantic import BaseModel, ConfigDict

from cluster.demo.memory import PeakMemory
from cluster.demo.users import Habits, ask_forced, load_questions
from cluster.head import Cluster, Profile
from cluster.indexing import build_indexes, indexes_of
from cluster.session import bring_up, take_down
from engine.books.store import Store
from engine.config.experiment import LoadedExperiment, load_experiment
from engine.errors import ClusterError
from engine.experiment.state import State, WorkflowState
from engine.experiment.variant import differences
from engine.stats.proportion import paired_interval
from search.books import Decisions
from search.outcome import Outcome
from search.reports.write import write_report
from search.tuner import tune_experiment

SETTLE_S = 6.0
HOLDBACK_S = 10.0
AA_S = 120.0
"""How long an experiment among equals goes on: most of it would be waiting for nothing."""
Say = Callable[[str], None]


class Plan(BaseModel):
    """What one demonstration does."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    root: Path
    experiment: Path
    questions: Path
    seed: int = 0
    aa: bool = False
    """Candidates are copies of the baseline: whatever is promoted is promoted wrongly."""
    profile: Profile
    port: int = 8000
    rate: float = 60.0


def tell(
    plan: Plan, say: Say, watch: Callable[[Path, str], "contextlib.AbstractContextManager[None]"]
) -> dict[str, Any]:
    """Live through one demonstration; the result is what `trimtab demo --json` prints."""
    started = time.monotonic()
    loaded = _prepared(plan)
    workflow = loaded.workflow.workflow
    say("indexing the corpus")
    build_indexes(plan.root, indexes_of(loaded))
    say(f"starting Ray and Serve ({plan.profile} profile)")
    cluster = bring_up(
        plan.root, loaded.workflow, profile=plan.profile, port=plan.port, dashboard=False
    )
    try:
        with PeakMemory(cluster) as memory:
            say(f"serving {workflow} at {cluster.url}; users begin to ask")
            with _users(plan, cluster, workflow) as users:
                with watch(plan.root, loaded.experiment.experiment):
                    outcome = _experiment(plan, loaded)
                if outcome.promoted is not None:
                    say("promoted; the holdback is watched a little longer")
                    time.sleep(HOLDBACK_S)
                say("users go home")
                summary = users.farewell()
            say("asking the held-out questions by forced assignment")
            holdout = _holdout(plan, loaded, cluster)
            time.sleep(SETTLE_S)
        books = _books(plan)
    finally:
        say("taking the cluster down")
        ray.shutdown()
        take_down(plan.root)
    result = _result(plan, loaded, outcome, summary, holdout, books)
    result["seconds"] = round(time.monotonic() - started, 1)
    result["peak_memory_mb"] = round(memory.peak_mb)
    paths = write_report(
        plan.root, loaded.experiment.experiment, plan.root / "reports", {"demo": result}
    )
    (plan.root / "reports" / "memory.json").write_text(json.dumps(memory.at_peak, indent=2))
    return result | {"report": str(paths.html)}


def _prepared(plan: Plan) -> LoadedExperiment:
    """A fresh workspace, but for the indexes, and the experiment under this seed."""
    for path in plan.root.glob("*"):
        if path.name == "cluster.json":
            raise ClusterError(f"{plan.root}: a cluster is up here; `trimtab down -w {plan.root}`")
        if path.name != "cache":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    plan.root.mkdir(parents=True, exist_ok=True)
    loaded = load_experiment(plan.experiment)
    changes: dict[str, Any] = {"seed": plan.seed, "aa": plan.aa}
    if plan.aa:
        changes["max_duration_s"] = AA_S
    experiment = loaded.experiment.model_copy(update=changes)
    return replace(loaded, experiment=experiment)


class _Crowd:
    """The users' process and its journal."""

    def __init__(self, process: "subprocess.Popen[str]", journal: Path) -> None:
        self._process = process
        self.journal = journal

    def farewell(self) -> dict[str, int]:
        """Let the users finish what is under way; what they sent and what failed."""
        out, _ = self._process.communicate(timeout=60)
        summary: dict[str, int] = json.loads(out.strip().splitlines()[-1])
        return summary


@contextlib.contextmanager
def _users(plan: Plan, cluster: Cluster, workflow: str) -> Iterator[_Crowd]:
    journal = plan.root / "journal.jsonl"
    habits = Habits(
        url=cluster.url,
        workflow=workflow,
        questions=str(plan.questions),
        rate=plan.rate,
        seed=plan.seed,
        journal=str(journal),
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "cluster.demo.users", habits.model_dump_json()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield _Crowd(process, journal)
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(timeout=10)


def _experiment(plan: Plan, loaded: LoadedExperiment) -> Outcome:
    """The Tune experiment, in a thread so that the progress display keeps the main one."""
    found: list[Outcome] = []
    failed: list[BaseException] = []

    def tune() -> None:
        try:
            found.append(tune_experiment(plan.root, loaded, resume=False))
        except BaseException as error:  # noqa: BLE001 - handed to the waiting thread below
            failed.append(error)

    thread = threading.Thread(target=tune, name="tune", daemon=True)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return found[0]


def _holdout(plan: Plan, loaded: LoadedExperiment, cluster: Cluster) -> dict[str, Any]:
    workflow = _workflow(plan, loaded)
    questions = load_questions(plan.questions, "heldout")
    former = workflow.previous or workflow.baseline
    variants = list(dict.fromkeys([former, workflow.baseline]))
    scores = asyncio.run(ask_forced(cluster.url, workflow.name, variants, questions))
    baseline = scores[former]
    result: dict[str, Any] = {
        "baseline": sum(baseline) / len(baseline),
        "promoted": None,
        "low": None,
        "high": None,
    }
    if workflow.baseline != former:
        promoted = scores[workflow.baseline]
        interval = paired_interval([b - a for a, b in zip(baseline, promoted, strict=True)])
        result |= {
            "promoted": sum(promoted) / len(promoted),
            "low": interval.low,
            "high": interval.high,
        }
    return result


def _books(plan: Plan) -> dict[str, int]:
    """What users were told is stored, against what is."""
    journal = (plan.root / "journal.jsonl").read_text(encoding="utf-8").splitlines()
    lines = [json.loads(line) for line in journal]
    acknowledged = {line["id"] for line in lines if line["what"] == "answer" and line["id"]}
    stored = set(Store(plan.root).read("trace")["trace_id"].to_list())
    rated = {line["id"] for line in lines if line["what"] == "feedback"}
    kept = set(Store(plan.root).read("feedback")["key"].to_list())
    return {
        "traces_acknowledged": len(acknowledged),
        "traces_stored": len(acknowledged & stored),
        "feedback_acknowledged": len(rated),
        "feedback_stored": len(rated & kept),
    }


def _result(
    plan: Plan,
    loaded: LoadedExperiment,
    outcome: Outcome,
    summary: dict[str, int],
    holdout: dict[str, Any],
    books: dict[str, int],
) -> dict[str, Any]:
    workflow = _workflow(plan, loaded)
    former = workflow.previous or workflow.baseline
    return {
        "requests": summary["asked"],
        "errors": summary["errors"],
        "seed": plan.seed,
        "aa": plan.aa,
        "baseline": {
            "config_hash": former,
            "config": workflow.variants[former].settings,
            "quality": _quality(plan, former),
        },
        "promoted": _promoted(workflow, outcome),
        "trials": [
            {
                "config_hash": trial.config_hash,
                "state": trial.state,
                "cause": trial.cause,
                "units": trial.units,
            }
            for trial in outcome.trials
        ],
        "holdout": holdout,
        **books,
    }


def _promoted(workflow: WorkflowState, outcome: Outcome) -> dict[str, Any] | None:
    if outcome.promoted is None:
        return None
    variant = workflow.variants[outcome.promoted]
    former = workflow.variants[workflow.previous or workflow.baseline]
    windows = [window for window in workflow.windows.values() if window.verdict is not None]
    nominating = [
        window.verdict.figures
        for window in windows
        if window.candidate == variant.hash and window.verdict and window.kind == "trial"
    ]
    figures = nominating[-1]
    return {
        "config_hash": variant.hash,
        "config": variant.settings,
        "changed": {path: after for path, (_, after) in differences(former, variant).items()},
        "quality": figures.get("candidate_mean"),
        "lift": figures.get("lift"),
        "lift_low": figures.get("lift_low"),
        "log_e": figures.get("log_e"),
    }


def _quality(plan: Plan, variant: str) -> float | None:
    """The mean rating of everything that a variant answered; None while nobody rated it."""
    store = Store(plan.root)
    answers = store.read("exposure").filter((pl.col("variant") == variant) & ~pl.col("forced"))
    ratings = answers.join(store.read("feedback"), on="trace_id")["score"]
    return float(ratings.sum()) / ratings.len() if ratings.len() else None


def _workflow(plan: Plan, loaded: LoadedExperiment) -> WorkflowState:
    decisions = Decisions(plan.root)
    with contextlib.closing(decisions):
        state: State = decisions.state()
    return state.workflow(loaded.workflow.workflow)
