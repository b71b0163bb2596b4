"""Builds the indexes that are missing, in a process of its own: the encoder is large."""

import asyncio
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from pathlib import Path

from engine.config.experiment import LoadedExperiment
from engine.config.parameter import ChoiceParameter
from engine.config.paths import Setting, with_settings
from engine.config.retrieval import Retrieval
from engine.config.workflow import Workflow
from engine.errors import ClusterError
from engine.workflow.building import reads
from engine.workflow.embedding import FloatArray, MiniLm
from engine.workflow.retrieval.store import is_stored, load_store

CUTTING = ("rag.corpus", "rag.chunker", "rag.chunk_chars")
"""Parameters of which each setting has an index of its own."""


def indexes_of(loaded: LoadedExperiment) -> list[Workflow]:
    """The workflow with every way of cutting texts that its space may ask for."""
    searched: dict[str, Sequence[Setting]] = {}
    for path in CUTTING:
        parameter = loaded.space.parameters.get(path)
        if isinstance(parameter, ChoiceParameter):
            searched[path] = parameter.choices
    changes: Iterable[Mapping[str, Setting]] = (
        dict(zip(searched, values, strict=True)) for values in product(*searched.values())
    )
    return [loaded.workflow, *(with_settings(loaded.workflow, one) for one in changes)]


def build_indexes(root: Path, workflows: Sequence[Workflow]) -> None:
    """Build what these workflows read and is not there yet.

    Raises:
        ClusterError: An index could not be built.
    """
    cache = root / "cache"
    wanted = {
        one.rag.retrieval.model_dump_json()
        for one in workflows
        if reads(one) and not is_stored(cache, one.rag.retrieval)
    }
    if not wanted:
        return
    command = [sys.executable, "-m", "cluster.indexing", str(cache), *sorted(wanted)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise ClusterError(f"the index could not be built: {done.stderr.strip()[-2000:]}")


async def build(cache: Path, wanted: Sequence[Retrieval]) -> None:
    """Build one index per way of cutting; the encoder is loaded at the first that is missing."""
    encoders: list[MiniLm] = []

    async def embed(texts: Sequence[str]) -> FloatArray:
        if not encoders:
            encoders.append(MiniLm(threads=2))
        return await asyncio.to_thread(encoders[0].encode, texts)

    for one in wanted:
        await load_store(cache, one, embed)


if __name__ == "__main__":
    settings = [Retrieval.model_validate_json(one) for one in sys.argv[2:]]
    asyncio.run(build(Path(sys.argv[1]), settings))
