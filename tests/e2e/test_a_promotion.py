"""The third path: what is proved better is ramped, promoted, and rolled back in one command."""

import contextlib
import json
import subprocess
import sys

import httpx2
import pytest
from ruamel.yaml import YAML

from cluster.demo.files import EXPERIMENT, WORKFLOW
from engine.books.active import read_active
from search.books import Decisions
from search.verify import verify

pytestmark = pytest.mark.serve

WINDOWS = {
    "concurrent": 1,
    "share": 0.5,
    "exploration_cap": 0.5,
    "min_units": 100,
    "max_units": 3_000,
    "lease_s": 10,
    "max_trials": 1,
}


@pytest.fixture
def users(crowd_of):
    return crowd_of(rate=60.0, turns=(1,))


def trimtab(served, *words, timeout_s=240):
    done = subprocess.run(
        [sys.executable, "-m", "cluster.main", *words, "-w", str(served.root), "--json"],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.strip().splitlines()[-1])


def written(path, name, space):
    yaml = YAML(typ="safe")
    content = yaml.load(EXPERIMENT.read_text())
    del content["exclusive"], content["forbidden"]
    content |= {
        "experiment": name,
        "workflow": str(WORKFLOW),
        "windows": WINDOWS,
        "ramp": {"steps": [0.5, 0.8], "min_units": 100},
        "maturation_s": 4,
        "max_duration_s": 150,
        "space": space,
    }
    with path.open("w") as file:
        yaml.dump(content, file)
    return str(path)


def workflow_of(served):
    with contextlib.closing(Decisions(served.root)) as decisions:
        return decisions.state().workflows["docs-qa"]


def served_variants(served, requests):
    """The variants that answer fresh conversations now."""
    with httpx2.Client(base_url=served.url, timeout=30) as http:
        answers = [
            http.post("/v1/workflows/docs-qa/run", json={"input": "What does del do?"})
            for _ in range(requests)
        ]
    return {answer.headers["x-trimtab-variant"] for answer in answers}


def test_a_planted_worse_candidate_is_stopped_for_harm(served, users, tmp_path):
    space = {"llm.max_tokens": {"type": "choice", "choices": [2, 3]}}
    path = written(tmp_path / "worse.yaml", "e2e-worse", space)
    before = workflow_of(served).baseline

    outcome = trimtab(served, "tune", path)

    assert [trial["cause"] for trial in outcome["trials"]] == ["harm"]
    assert outcome["promoted"] is None
    assert workflow_of(served).baseline == before


def test_a_better_candidate_is_promoted_and_one_command_brings_the_former_back(
    served, users, tmp_path
):
    space = {"llm.prompt": {"type": "choice", "choices": ["careful", "thorough"]}}
    path = written(tmp_path / "better.yaml", "e2e-better", space)
    before = workflow_of(served).baseline

    outcome = trimtab(served, "tune", path)
    promoted = workflow_of(served)

    assert [trial["cause"] for trial in outcome["trials"]] == ["evidence"]
    assert outcome["promoted"] == promoted.baseline != before
    assert promoted.holdback is not None
    assert "prompt: plain" not in read_active(served.root, "docs-qa")

    undone = trimtab(served, "rollback", "docs-qa", "--reason", "a test of the way back")
    restored = workflow_of(served)

    assert undone["in_force"]
    assert served_variants(served, 20) == {before}
    assert restored.baseline == before
    assert restored.open_windows == ()
    assert "prompt: plain" in read_active(served.root, "docs-qa")
    assert verify(served.root).holds
