"""Where a search looks: everywhere, only where a person points, or first where it hurts."""

import re
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from engine.books.hindsight import problems_of
from engine.config.experiment import Experiment, LoadedExperiment
from engine.config.problem import did_you_mean
from engine.errors import ConfigError
from engine.evidence.observe import WORDS, Problem, ProblemKind

NODES = {
    "router": ("router.*", "nodes.*"),
    "retrieve": ("rag.*",),
    "rerank": ("rag.rerank.*", "rag.top_k"),
    "rewrite": ("rag.rewrite.*",),
    "compress": ("context.compression.*",),
    "context": ("context.*",),
    "model_choice": ("model_choice.*", "resilience.tiers.*"),
    "answer_cache": ("caching.*",),
    "review": ("nodes.reviewer.*",),
    "summary": ("nodes.summary_agent.*",),
}
"""What a node's work depends on; every other node asks the language model."""
SLOWER = ("llm.name", "llm.max_tokens", "rag.top_k", "rag.rerank.*")
DEARER = ("llm.name", "llm.max_tokens", "rag.top_k", "rag.chunk_chars")
KINDS: dict[ProblemKind, tuple[str, ...]] = {
    "slow": SLOWER,
    "slower": SLOWER,
    "timing_out": SLOWER,
    "failing": ("llm.*", "nodes.*"),
    "expensive": DEARER,
    "dearer": DEARER,
    "badly_rated": ("llm.prompt", "rag.*", "router.*", "nodes.*"),
}
"""What a problem of a whole workflow or of a segment depends on."""


@dataclass(frozen=True)
class Focus:
    """The block of a space that opens first, and the problem that it answers."""

    paths: tuple[str, ...]
    reason: str


def directed(loaded: LoadedExperiment, only: Sequence[str]) -> LoadedExperiment:
    """The experiment with only these parameters to search; all others stay as they are.

    `only` holds paths, or patterns such as `rag.*`. A parameter that waits for another brings it
    along, because alone it could never be searched.

    Raises:
        ConfigError: A pattern matches nothing.
    """
    if not only:
        return loaded
    experiment = loaded.experiment
    paths = {*experiment.space, *(path for group in experiment.exclusive for path in group)}
    for pattern in only:
        if not any(fnmatchcase(path, pattern) for path in paths):
            raise ConfigError(
                f"--only {pattern!r} matches no parameter of {loaded.path}; "
                f"{did_you_mean(pattern, paths)}"
            )
    kept = {path for path in paths if any(fnmatchcase(path, pattern) for pattern in only)}
    kept |= _conditions(experiment, kept)
    narrowed = experiment.model_copy(
        update={
            "space": {path: one for path, one in experiment.space.items() if path in kept},
            "exclusive": tuple(group for group in experiment.exclusive if kept & {*group}),
        }
    )
    return replace(loaded, experiment=narrowed)


def _conditions(experiment: Experiment, kept: set[str]) -> set[str]:
    """The parameters that the kept ones wait for, however far back."""
    found: set[str] = set()
    waiting = list(kept)
    while waiting:
        parameter = experiment.space.get(waiting.pop())
        for parent in (parameter.when or {}) if parameter is not None else {}:
            if parent not in found and parent in experiment.space:
                found.add(parent)
                waiting.append(parent)
    return found


def hottest(root: Path, workflow: str, experiment: Experiment) -> Focus | None:
    """What the workflow's newest hour of traffic says to look at first."""
    problems = problems_of(root, now=time.time())
    return focus_of(problems, workflow, experiment)


def focus_of(problems: Iterable[Problem], workflow: str, experiment: Experiment) -> Focus | None:
    """The block for the worst problem that a part of the space could answer; None without one.

    `problems` come worst first. A parameter of high risk is never opened by a problem alone, and
    problems of single variants are left to their windows.
    """
    safe = {path for path, one in experiment.space.items() if one.risk != "high"}
    safe |= {path for group in experiment.exclusive for path in group}
    for problem in problems:
        if problem.workflow != workflow or problem.scope == "variant":
            continue
        paths = {path for path in safe if any(fnmatchcase(path, one) for one in _knobs(problem))}
        paths |= _conditions(experiment, paths) & safe
        if paths and paths != safe:
            return Focus(paths=tuple(sorted(paths)), reason=_reason(problem))
    return None


def _knobs(problem: Problem) -> Iterator[str]:
    if problem.scope != "node":
        yield from KINDS[problem.kind]
    elif problem.name in NODES:
        yield from NODES[problem.name]
    else:
        step = re.split(r"[.\[]", problem.name)[0]
        yield from ("llm.*", f"nodes.{step}.*", f"graph.nodes.{step}.*")


def _reason(problem: Problem) -> str:
    part = "the workflow" if problem.scope == "workflow" else f"{problem.scope} {problem.name}"
    figure = f"{problem.figure.estimate:.3g} against {problem.limit:.3g}"
    return f"{part} is {WORDS[problem.kind]}: {figure} over {problem.calls} calls"
