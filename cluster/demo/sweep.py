"""What settings do to the answers, found offline: no Ray, no users, the same graph and model.

`python -m cluster.demo.sweep --split heldout` prints each single change's effect.
"""

import argparse
import asyncio
import json
import random
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import polars as pl
from openai import AsyncOpenAI

from cluster.demo.changes import Changes, named, random_changes, single_changes
from cluster.demo.files import EXPERIMENT, QUESTIONS
from cluster.demo.rating import score
from cluster.demo.users import load_questions
from engine.config.experiment import load_experiment
from engine.config.paths import settings_of, with_settings
from engine.config.workflow import Workflow
from engine.experiment.variant import variant_of
from engine.stats.proportion import paired_interval
from engine.workflow.answer import Asked
from engine.workflow.building import Shared, asker_of
from engine.workflow.embedding import FloatArray, MiniLm
from engine.workflow.memo import QueryMemo
from engine.workflow.qa import QaFlow
from engine.workflow.retrieval.retriever import Retriever
from engine.workflow.retrieval.store import load_store
from engine.workflow.toolset import Toolset
from serve_apps.embedded.app import reader_app

Question = Mapping[str, Any]


class Encoder:
    """The sentence encoder, loaded when first needed; every text is encoded once."""

    def __init__(self, threads: int = 2) -> None:
        self._threads = threads
        self._encoder: MiniLm | None = None
        self._known: dict[str, FloatArray] = {}

    async def __call__(self, texts: Sequence[str]) -> FloatArray:
        """Unit-norm vectors, one row a text."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            if self._encoder is None:
                self._encoder = MiniLm(threads=self._threads)
            self._known |= zip(new, self._encoder.encode(new), strict=True)
        return np.stack([self._known[text] for text in texts])


SCHEMA = {
    "variant": pl.String,
    "unit": pl.String,
    "score": pl.Float64,
    "latency_s": pl.Float64,
    "tokens": pl.Float64,
}


async def outcomes(
    workflows: Sequence[Workflow], questions: Sequence[Question], seed: int, *, cache: Path
) -> pl.DataFrame:
    """One row for each workflow and question: variant, unit (its id), score, latency_s, tokens.

    Every question goes to all variants in a random order, so that a slow moment of the machine
    favours none; vectors are computed before, since they are the same for all.
    """
    encoder = Encoder()
    transport = httpx2.ASGITransport(app=reader_app(seed))
    async with httpx2.AsyncClient(transport=transport) as http:
        client = AsyncOpenAI(
            http_client=http, base_url="http://embedded/v1", api_key="none", max_retries=0
        )
        flows = {
            variant_of(workflow).hash: await _flow(workflow, client, encoder, cache)
            for workflow in workflows
        }
        if questions:
            await encoder([question["question"].strip() for question in questions])
        order = random.Random(seed)
        rows = [
            await _outcome(variant, flows[variant], question)
            for question in questions
            for variant in order.sample(list(flows), len(flows))
        ]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


async def _flow(workflow: Workflow, client: AsyncOpenAI, encoder: Encoder, cache: Path) -> QaFlow:
    asker = asker_of(workflow, Shared(cache, encoder, {}, "none", client), "")
    settings = workflow.rag.retrieval
    store = await load_store(cache, settings, encoder)
    retriever = Retriever(store, settings, QueryMemo(encoder), asker)
    return QaFlow(workflow, asker, retriever, await Toolset.opened(workflow.tools))


async def _outcome(
    variant: str, flow: QaFlow, question: Question
) -> tuple[str, str, float, float, float]:
    started = time.perf_counter()
    messages = [{"role": "user", "content": question["question"]}]
    answer = await flow.answer(Asked("sweep", messages, time.monotonic() + 60.0))
    latency_s = time.perf_counter() - started
    told = score(answer.text, question["facts"])
    tokens = float((answer.input_tokens or 0) + (answer.output_tokens or 0))
    return variant, str(question["id"]), told, latency_s, tokens


def effects(
    table: pl.DataFrame, baseline: str, changed: Mapping[str, Changes]
) -> list[dict[str, Any]]:
    """Each variant's mean score, and its paired difference to the baseline with a 95 % interval.

    The interval is over questions; a question asked several times counts once, with its mean.
    `latency_ratio` is that of the geometric means.
    """
    means = (
        table.with_columns(pl.col("latency_s").log().alias("log_s"))
        .group_by("variant", "unit")
        .agg(pl.col("score", "log_s", "tokens").mean())
        .sort("unit")
    )
    by_variant = {str(key[0]): frame for key, frame in means.group_by("variant")}
    against = by_variant[baseline].sort("unit")
    rows = []
    for variant, changes in changed.items():
        own = by_variant[variant].sort("unit")
        interval = paired_interval((own["score"] - against["score"]).to_numpy())
        rows.append(
            {
                "changes": changes,
                "quality": float(own["score"].to_numpy().mean()),
                "effect": interval.estimate,
                "low": interval.low,
                "high": interval.high,
                "latency_ratio": float(np.exp((own["log_s"] - against["log_s"]).to_numpy().mean())),
                "tokens_ratio": float(own["tokens"].to_numpy().mean() / _mean_tokens(against)),
            }
        )
    return rows


def _mean_tokens(table: pl.DataFrame) -> float:
    return max(float(table["tokens"].to_numpy().mean()), 1.0)


def main() -> None:
    """Print the effects of single changes, of given settings, or of random draws."""
    asked = _arguments()
    loaded = load_experiment(asked.experiment)
    settings = settings_of(loaded.workflow)
    if asked.set:
        wanted = [dict(_setting(each) for each in asked.set)]
    elif asked.draws:
        dice = np.random.default_rng(asked.seed)
        wanted = [random_changes(loaded.space, dice) for _ in range(asked.draws)]
    else:
        wanted = list(single_changes(loaded.space, settings))
    workflows = [with_settings(loaded.workflow, changes) for changes in ({}, *wanted)]
    hashes = [variant_of(workflow).hash for workflow in workflows]
    questions = load_questions(asked.questions, asked.split) * asked.repeats
    table = asyncio.run(outcomes(workflows, questions, asked.seed, cache=asked.cache))
    rows = effects(table, hashes[0], dict(zip(hashes, [{}, *wanted], strict=True)))
    print(json.dumps(rows) if asked.json else _written(rows))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m cluster.demo.sweep", description=__doc__)
    parser.add_argument("--split", choices=("traffic", "heldout"), default="traffic")
    parser.add_argument("--experiment", type=Path, default=EXPERIMENT)
    parser.add_argument("--questions", type=Path, default=QUESTIONS)
    parser.add_argument("--cache", type=Path, default=Path(".trimtab/cache"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=3, help="times that each question is asked")
    parser.add_argument("--draws", type=int, default=0, help="random settings of the space instead")
    parser.add_argument("--set", action="append", metavar="PATH=VALUE", help="these settings only")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _setting(text: str) -> tuple[str, Any]:
    path, _, value = text.partition("=")
    try:
        return path, json.loads(value)
    except ValueError:
        return path, value


def _written(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = ["| change | quality | effect | 95 % interval | latency |", "|---|---|---|---|---|"]
    lines += [
        f"| {named(row['changes']) or 'baseline'} | {row['quality']:.3f} | {row['effect']:+.3f} | "
        f"{row['low']:+.3f} to {row['high']:+.3f} | {row['latency_ratio']:.2f} |"
        for row in rows
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
