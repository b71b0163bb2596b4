import asyncio

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from engine.config.caching import Exact, Memory
from engine.config.workflow import Llm
from engine.workflow.caching.asker import CachedAsker
from engine.workflow.caching.exact import ExactCache
from engine.workflow.caching.levels import Levels
from engine.workflow.caching.memory import MemoryStore
from engine.workflow.caching.tools import ToolCache
from tests.engine.workflow.caching.scripted import Request, Scripted, by_meaning, reply, user

VARIANTS = ("v1", "v2", "v1:v2", "")
QUESTIONS = (
    "How do I sort a list in Python?",
    "How do I sort lists in Python?",
    "How do I sort a tuple in Python?",
    "v1",
)
variants = st.sampled_from(VARIANTS)
questions = st.sampled_from(QUESTIONS)


class Apart(RuleBasedStateMachine):
    """Variants that share every store, used in any order: each gets its own answers only."""

    def __init__(self):
        super().__init__()
        self.loop = asyncio.new_event_loop()
        store = Levels(MemoryStore(Memory(entries=6)), MemoryStore(), near_ttl_s=60.0)
        semantic = by_meaning()
        self.generation = dict.fromkeys(VARIANTS, 0)
        self.fronts = {
            variant: CachedAsker(
                Scripted(self.say(variant)),
                variant,
                Llm(),
                exact=ExactCache(store, Exact(enabled=True)),
                semantic=semantic,
            )
            for variant in VARIANTS
        }
        self.tools = {variant: ToolCache(store, variant) for variant in VARIANTS}

    def say(self, variant):
        return lambda _: reply(f"{variant}|{self.generation[variant]}")

    @rule(variant=variants, question=questions)
    def ask(self, variant, question):
        said = self.loop.run_until_complete(
            self.fronts[variant].ask(user(question), Request().run, node="qa")
        )

        assert said.text == f"{variant}|{self.generation[variant]}"

    @rule(variant=variants, key=questions)
    def call(self, variant, key):
        cache = self.tools[variant]
        known = self.loop.run_until_complete(cache.get(key))
        expected = f"{variant}|{self.generation[variant]}"

        assert known in (None, expected)
        self.loop.run_until_complete(cache.put(key, expected, 60.0))

    @rule(variant=variants)
    def drop(self, variant):
        self.loop.run_until_complete(self.fronts[variant].drop())
        self.loop.run_until_complete(self.tools[variant].drop())
        self.generation[variant] += 1

    def teardown(self):
        self.loop.close()


TestApart = Apart.TestCase
TestApart.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
