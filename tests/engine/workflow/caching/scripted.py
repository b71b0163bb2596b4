"""An asker that says what it is told to, and a request to ask it in."""

import asyncio
import time

import numpy as np

from engine.config.caching import Exact, Semantic
from engine.config.workflow import Llm
from engine.workflow.caching.asker import CachedAsker
from engine.workflow.caching.exact import ExactCache
from engine.workflow.caching.memory import MemoryStore
from engine.workflow.caching.semantic import SemanticCache
from engine.workflow.parts import NOTHING
from engine.workflow.reply import Reply, Usage
from engine.workflow.run import Run
from engine.workflow.spans import Timeline


def reply(text="an answer", *, finish="stop", calls=()):
    return Reply(text, tuple(calls), Usage(10, 5, 0.01), "a-model", finish)


def user(text):
    return [{"role": "user", "content": text}]


class Scripted:
    """Counts what it is asked, and waits where it is told to."""

    def __init__(self, say=None):
        self.asked = 0
        self.say = say or (lambda messages: reply(f"on {messages[-1]['content']}"))
        self.gate = None

    async def ask(self, messages, run, *, node, offer=NOTHING, tier="usual", on_text=None):
        self.asked += 1
        run.step()
        with run.timeline.span(node) as span:
            span["kind"] = "llm"
            if self.gate is not None:
                await self.gate.wait()
            said = self.say(messages)
            if isinstance(said, Exception):
                raise said
        run.charge(said.usage)
        return said


class Request:
    """A run whose spans can be looked at."""

    def __init__(self, *, left_s=10.0):
        self.spans = []
        self.run = Run("r", time.monotonic() + left_s, Timeline(self.spans))


async def spelled(texts):
    """Unit vectors that are equal for equal texts, and near for texts of like letters."""
    vectors = np.zeros((len(texts), 384), np.float32)
    for row, text in zip(vectors, texts, strict=True):
        for a, b in zip(text.lower(), text.lower()[1:] + " ", strict=True):
            row[(ord(a) * 31 + ord(b)) % 384] += 1.0
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def cached(asker, *, namespace="v1", store=None, llm=None, exact=None, semantic=None):
    return CachedAsker(
        asker,
        namespace,
        llm or Llm(),
        exact=ExactCache(store or MemoryStore(), exact or Exact(enabled=True)),
        semantic=semantic,
    )


def by_meaning():
    return SemanticCache(Semantic(enabled=True, threshold=0.85, entries=1_000), spelled)


async def together(*coroutines):
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(coroutine) for coroutine in coroutines]
    return [task.result() for task in tasks]
