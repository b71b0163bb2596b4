"""The workflow that a chaos run serves, and the two variants of it that share the traffic."""

import contextlib
import time
from pathlib import Path

from engine.config.experiment import Experiment
from engine.config.workflow import Workflow
from engine.experiment.entries import Decision, ExperimentStarted, WindowClosed, WindowOpened
from engine.experiment.split import BUCKETS
from engine.experiment.state import State
from engine.experiment.variant import Variant, variant_of
from engine.experiment.verdict import Verdict
from search.books import Decisions

NAME = "chaos"
EXPERIMENT = "chaos"
SHARE = BUCKETS // 10
LEASE_S = 3_600.0
STOPPED = Verdict(action="stop", cause="futility", reason="another one is rolled out")


def workflow() -> Workflow:
    """One step that asks the model to repeat what was said: whose answer it is can be seen."""
    return Workflow.model_validate(
        {
            "workflow": NAME,
            "timeout_s": 10.0,
            "llm": {
                "name": "scripted",
                "base_url": "env",
                "temperature": 0.0,
                "prompt": "echo",
                "timeout_s": 2.0,
            },
            "prompts": {"echo": "Say what you were told."},
            "graph": {
                "input": {"question": "text"},
                "nodes": {
                    "say": {"type": "model", "system": "echo", "say": "{{ input.question }}"},
                },
                "output": "say.text",
            },
            # Short, so that what one fault opened is closed before the next one.
            "resilience": {"breaker": {"open_s": 1.0}},
            "deploy": {"slots": 3, "gateways": 2, "slot_replicas": 2},
        }
    )


def experiment() -> Experiment:
    """What the windows belong to; nobody searches it."""
    return Experiment.model_validate(
        {
            "experiment": EXPERIMENT,
            "workflow": "chaos.json",
            "maturation_s": 1.0,
            "min_cycle_s": 0.0,
            "space": {"llm.temperature": {"type": "float", "low": 0.0, "high": 1.0}},
        }
    )


def model_of(number: int) -> str:
    """What the candidate of the `number`th rollout asks for, so that it can fail alone."""
    return f"scripted-candidate-{number}"


def candidate(number: int) -> Variant:
    """The candidate of the `number`th rollout: it differs in its model's name."""
    return variant_of(workflow(), {"llm.name": model_of(number)})


def roll_out(root: Path, number: int) -> Variant:
    """Give a candidate its share of the traffic, in the place of the one before."""
    chosen = candidate(number)

    def start(state: State) -> Decision | None:
        if EXPERIMENT in state.experiments:
            return None
        config = experiment().model_dump(mode="json")
        return ExperimentStarted(experiment=EXPERIMENT, workflow=NAME, config=config, seed=0)

    def close(state: State) -> Decision | None:
        opened = state.workflow(NAME).open_windows
        return WindowClosed(window=opened[0].id, verdict=STOPPED) if opened else None

    def open_(state: State) -> Decision:
        return WindowOpened(
            window=f"window-{number}",
            trial=f"trial-{number}",
            experiment=EXPERIMENT,
            workflow=NAME,
            candidate=chosen,
            baseline=state.workflow(NAME).baseline,
            share=SHARE,
            lane=SHARE,
            alpha=0.01,
            f0=0.5,
            lease_s=LEASE_S,
        )

    with contextlib.closing(Decisions(root)) as decisions:
        for decide in (start, close, open_):
            decisions.append(decide, actor="operator", clock=time.time)
    return chosen
