"""A workspace with real books, in which a test plays serving: the clock only moves when it says."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from engine.books.catalogue import Catalogue
from engine.books.compactor import Compactor
from engine.books.feedback import FeedbackBook
from engine.books.spool import Spool
from engine.config.experiment import Experiment
from engine.config.paths import settings_of
from engine.config.workflow import Workflow
from engine.evidence.measure import Facts
from engine.experiment.entries import Decision, ExperimentStarted, Installed
from engine.experiment.split import assign, epoch_of
from engine.experiment.state import WorkflowState
from engine.experiment.variant import variant_of
from engine.experiment.window import Window
from engine.stats.alpha import Spent, next_alpha
from search.books import Decisions, FactsFollower
from search.life import Life, World

BEGIN = 1_700_000_000.0
WORKFLOW = Workflow(workflow="docs")


def experiment_of(**changes: object) -> Experiment:
    raw: dict[str, object] = {
        "experiment": "docs-qa",
        "workflow": "workflow.yaml",
        "mode": "auto",
        "maturation_s": 4.0,
        "min_cycle_s": 0.0,
        "objective": {"metric": "quality", "mde": 0.05},
        "guardrails": {"latency_ratio": 1.2, "error_margin": 0.02},
        "windows": {
            "concurrent": 2,
            "share": 0.2,
            "exploration_cap": 0.4,
            "min_units": 200,
            "max_units": 1200,
            "lease_s": 10,
            "max_trials": 4,
        },
        "ramp": {"steps": [0.25, 0.5, 0.9], "min_units": 150},
        "holdback": 0.1,
        "space": {
            "llm.temperature": {"type": "float", "low": 0.0, "high": 1.0},
            "rag.top_k": {"type": "int", "low": 1, "high": 12},
            "rag.rerank.enabled": {"type": "bool"},
            "rag.rerank.depth": {
                "type": "int",
                "low": 10,
                "high": 40,
                "when": {"rag.rerank.enabled": True},
            },
        },
    }
    return Experiment.model_validate(raw | changes)


class Settled(FactsFollower):
    """Facts that are settled by the stage's clock, not by the world's."""

    def __init__(self, stage: "Stage") -> None:
        super().__init__(stage.root)
        self._stage = stage

    def settled_at(self) -> float:
        return self._stage.now - 0.5

    def follow(self, upto: int | None = None) -> Facts:
        """Whatever else happens while a look is under way happens here."""
        meanwhile, self._stage.meanwhile = self._stage.meanwhile, None
        facts = super().follow(upto)
        if meanwhile is not None:
            meanwhile()
        return facts


class Stage:
    """Books on disk, a clock, and users who rate by the variant's true quality."""

    def __init__(self, root: Path, experiment: Experiment | None = None) -> None:
        self.root = root
        self.now = BEGIN
        self.experiment = experiment or experiment_of()
        self.quality: dict[str, float] = {}
        self.segments: dict[str, float] = {"": 0.0}
        """Kinds of units, which take turns, and what each adds to the quality."""
        self.renewed: list[tuple[float, str]] = []
        self.on_sleep: Callable[[float], None] = self.serve
        self.meanwhile: Callable[[], None] | None = None
        self._rng = np.random.default_rng(7)
        self._asked = 0
        self._compactor = Compactor(root)
        self._spool = Spool(root / "spools" / "gateway.db", Catalogue(root / "catalogue.db"))
        self._feedback = FeedbackBook(root / "feedback.db")
        self.decisions = Decisions(root)
        self.append(
            Installed(
                workflow=WORKFLOW.workflow,
                baseline=variant_of(WORKFLOW),
                workflow_config=WORKFLOW.model_dump(mode="json"),
            )
        )
        self.start()

    def start(self) -> None:
        self.append(
            ExperimentStarted(
                experiment=self.experiment.experiment,
                workflow=WORKFLOW.workflow,
                config=self.experiment.model_dump(mode="json"),
                seed=0,
            )
        )

    @property
    def workflow(self) -> WorkflowState:
        return self.decisions.state().workflow(WORKFLOW.workflow)

    @property
    def baseline(self) -> str:
        return self.workflow.baseline

    def append(self, decision: Decision) -> None:
        self.decisions.append(lambda _: decision, actor="test", clock=lambda: self.now)

    def life(self, trial: str, **params: object) -> Life:
        return Life(
            trial=trial,
            experiment=self.experiment.experiment,
            params={"llm.temperature": 0.7, "rag.top_k": 4, "rag.rerank.enabled": False} | params,
            decisions=Decisions(self.root),
            facts=Settled(self),
            world=World(clock=lambda: self.now, sleep=self.sleep, renew=self.renew),
        )

    def sleep(self, seconds: float) -> None:
        self.on_sleep(seconds)

    def wait(self, seconds: float) -> None:
        self.now += seconds

    def renew(self, window: str) -> None:
        self.renewed.append((self.now, window))

    def serve(self, seconds: float, per_s: float = 150.0) -> None:
        """Traffic for this long under the newest split; every unit is rated within its horizon."""
        split = self.workflow.split
        rows, ratings = [], []
        for _ in range(round(seconds * per_s)):
            self.now += 1.0 / per_s
            self._asked += 1
            trace, unit = f"t{self._asked}", f"u{self._asked}"
            epoch = epoch_of(split, self.now)
            met = assign(unit, split, epoch)
            kind = list(self.segments)[self._asked % len(self.segments)]
            quality = self.quality.get(met.variant, 0.5) + self.segments[kind]
            score = float(self._rng.random() < quality)
            served = self._served(trace, unit, epoch, met.variant, met.window, split.version)
            served[0][1]["segment"] = kind
            rows += served
            ratings.append(
                {
                    "key": trace,
                    "at": self.now + 0.2,
                    "trace_id": trace,
                    "metric": "quality",
                    "score": score,
                }
            )
        self._spool.write(rows)
        self._feedback.record(ratings)
        self._compactor.step(self.now)

    def _served(
        self, trace: str, unit: str, epoch: str, variant: str, window: str, version: int
    ) -> list[tuple[str, dict[str, object]]]:
        shared = {"trace_id": trace, "at": self.now, "workflow": WORKFLOW.workflow}
        return [
            (
                "exposure",
                shared
                | {
                    "unit_id": unit,
                    "conversation_id": unit,
                    "epoch": epoch,
                    "version": version,
                    "bucket": 0,
                    "variant": variant,
                    "served": variant,
                    "window": window,
                    "lapsed": "",
                    "forced": False,
                    "writer": "gateway",
                },
            ),
            (
                "trace",
                shared
                | {
                    "variant": variant,
                    "duration_s": float(self._rng.lognormal(-2.0, 0.3)),
                    "overhead_s": 0.001,
                    "question": f"What is {trace}?",
                    "answer": f"It is {trace}.",
                    "status": "ok",
                    "error": "",
                    "writer": "gateway",
                },
            ),
        ]

    def close(self) -> None:
        self.decisions.close()
        self._spool.close()
        self._compactor.close()


__all__ = ["BEGIN", "WORKFLOW", "Stage", "experiment_of", "settings_of"]


def next_level(stage: Stage, *before: Window) -> float:
    """The level of the next trial after these windows."""
    spent = [Spent(window.alpha, 0) for window in before]
    trials = stage.experiment.windows.max_trials
    return next_alpha(spent, alpha=stage.experiment.alpha, horizon=trials)
