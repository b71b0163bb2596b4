"""A whole experiment, played once and copied: harm, a promotion by ramp, a holdback, an end."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from engine.experiment.entries import ExperimentEnded
from search.assessed import assess_step
from search.books import FactsFollower
from search.life import Life, candidate_of
from search.selector import ramp_decision
from tests.search.stage import WORKFLOW, Stage

PARAMS = {
    "bad": {"llm.temperature": 0.9, "rag.top_k": 2},
    "dull": {"llm.temperature": 0.0, "rag.top_k": 6},
    "good": {"llm.temperature": 0.5, "rag.top_k": 8},
}
QUALITY = {"bad": 0.3, "dull": 0.55, "good": 0.85}
EXPERIMENT = "docs-qa"


def hash_of(stage: Stage, trial: str) -> str:
    baseline = stage.workflow.variants[stage.baseline]
    return candidate_of(WORKFLOW, baseline, PARAMS[trial]).hash


def played(to: Path) -> Path:
    """A copy of the played workspace, free to be changed."""
    return Path(shutil.copytree(_played(), to / "played"))


@cache
def _played() -> Path:
    root = Path(tempfile.mkdtemp(prefix="trimtab-played-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    stage = Stage(root)
    stage.quality = {stage.baseline: 0.55}
    stage.quality |= {hash_of(stage, trial): QUALITY[trial] for trial in PARAMS}
    stage.serve(5)
    _try(stage, ["bad", "good", "dull"])
    _ramp(stage, FactsFollower(root))
    stage.serve(8)
    ended = ExperimentEnded(
        experiment=EXPERIMENT, reason="promoted enough", promoted=stage.baseline
    )
    stage.append(ended)
    stage.close()
    return root


def _try(stage: Stage, waiting: list[str]) -> None:
    """Two trials at a time, until one is nominated."""
    lives: dict[str, tuple[Life, str]] = {}
    while stage.workflow.ramp is None:
        while waiting and len(lives) < 2:
            trial = waiting.pop(0)
            life = stage.life(trial, **PARAMS[trial])
            window = life._begin()
            assert isinstance(window, str)
            lives[trial] = (life, window)
        stage.serve(2)
        for trial, (life, window) in list(lives.items()):
            if stage.workflow.ramp is None and life.look(window).is_last:
                del lives[trial]


def _ramp(stage: Stage, facts: FactsFollower) -> None:
    while (ramp := stage.workflow.ramp) is not None:
        stage.serve(4)
        frames = facts.follow()
        verdict = assess_step(
            stage.workflow,
            stage.experiment,
            ramp,
            frames,
            upto=facts.upto,
            now=facts.settled_at(),
        )
        decision = ramp_decision(stage.workflow, stage.experiment, ramp, verdict)
        if decision is not None:
            stage.append(decision)
