"""The second path: a Tune trial's window gets traffic, evidence and a verdict."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import pytest
import ray
from ruamel.yaml import YAML

from cluster.demo.files import EXPERIMENT, WORKFLOW
from cluster.head import free_ports
from cluster.session import connect, control
from search.books import Decisions
from search.searcher import storage_of
from search.verify import verify

pytestmark = pytest.mark.serve

SPACE = {
    "llm.temperature": {"type": "float", "low": 0.0, "high": 0.4},
    "rag.top_k": {"type": "int", "low": 3, "high": 6},
}


@pytest.fixture
def users(crowd_of):
    return crowd_of(users=12, rate=60.0)


@pytest.fixture
def experiment(tmp_path):
    """The demo's experiment with a name of its own and a short life."""

    def write(**changes):
        yaml = YAML(typ="safe")
        content = yaml.load(EXPERIMENT.read_text())
        del content["exclusive"], content["forbidden"]
        content |= {"experiment": "e2e-resumed", "workflow": str(WORKFLOW), "space": SPACE}
        content |= changes
        path = tmp_path / "experiment.yaml"
        with path.open("w") as file:
            yaml.dump(content, file)
        return path, content["experiment"]

    return write


def driver(served, path, *more):
    return subprocess.Popen(
        [sys.executable, "-m", "cluster.main", "tune", str(path), "-w", str(served.root), *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def state_of(served):
    with contextlib.closing(Decisions(served.root)) as decisions:
        return decisions.state()


def wait_until(what, timeout_s, why):
    give_up = time.monotonic() + timeout_s
    while not (found := what()):
        assert time.monotonic() < give_up, why
        time.sleep(0.3)
    return found


def windows_of(served, experiment):
    windows = state_of(served).workflows["docs-qa"].windows.values()
    return [window for window in windows if window.experiment == experiment]


def test_a_killed_drivers_windows_lapse_and_its_trials_resume(served, users, experiment):
    connect(served.root)
    path, name = experiment(
        windows={
            "concurrent": 2,
            "share": 0.15,
            "exploration_cap": 0.4,
            "min_units": 40,
            "max_units": 60,
            "lease_s": 4,
            "max_trials": 3,
        },
        mode="experiment",
    )
    page = ("--dashboard", "--dashboard-port", str(free_ports(1)[0]))
    first = driver(served, path, *page)
    wait_until(lambda: len(windows_of(served, name)) >= 2, 90, "no windows opened")
    time.sleep(3)

    os.kill(first.pid, signal.SIGKILL)
    first.wait(timeout=10)
    opened = {window.id for window in windows_of(served, name)}
    time.sleep(8)
    leases = ray.get(control().status.remote())["leases"]

    assert users.process.poll() is None
    assert {window.id for window in windows_of(served, name)} == opened
    assert all(lapses <= time.time() for id_, lapses in leases.items() if id_ in opened)

    second = driver(served, path, "--resume", "--json", *page)
    out, err = second.communicate(timeout=240)

    assert second.returncode == 0, err[-3000:]
    assert f"dashboard: http://127.0.0.1:{page[-1]}" in err
    outcome = json.loads(out.strip().splitlines()[-1])
    trials = {window.trial for window in windows_of(served, name)}
    assert len(outcome["trials"]) >= len(trials) - 1
    continued = [window for window in windows_of(served, name) if window.continues]
    assert {window.continues[0] for window in continued} <= opened
    assert continued, "no resumed trial went on with its evidence"
    assert not [window for window in windows_of(served, name) if window.is_open]
    assert_every_trial_ended(served, name)
    assert {window.trial for window in continued} <= charted(served, name, "ray/tune/units")
    assert verify(served.root).holds


def charted(served, name, tag):
    """The trials with a TensorBoard file that holds this figure."""
    files = (served.root / "tune" / name).glob("*/events.out.tfevents.*")
    return {file.parent.name for file in files if tag.encode() in file.read_bytes()}


def assert_every_trial_ended(served, name):
    import optuna

    storage = storage_of(served.root)
    for summary in optuna.get_all_study_summaries(storage):
        if summary.study_name.startswith(name):
            study = optuna.load_study(study_name=summary.study_name, storage=storage)
            states = [one.state.is_finished() for one in study.get_trials(deepcopy=False)]
            assert states
            assert all(states)
