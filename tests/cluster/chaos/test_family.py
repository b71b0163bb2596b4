import subprocess
import sys

import psutil
import pytest

from cluster.chaos.family import busiest, family

SLEEP = "import time; print(flush=True); time.sleep(60)"
SPIN = "print(flush=True)\nwhile True: pass"


@pytest.fixture
def children():
    started = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
        for code in (SLEEP, SPIN, SLEEP)
    ]
    for child in started:
        child.stdout.readline()
    yield [psutil.Process(child.pid) for child in started]
    for child in started:
        child.kill()
        child.wait()


def test_who_works_most_is_the_one_that_serves(children):
    assert busiest(children) == children[1]


def test_who_died_meanwhile_is_not_chosen(children):
    children[1].kill()
    children[1].wait()

    assert busiest(children) in (children[0], children[2])
    assert busiest([]) is None


def test_a_workspace_without_a_cluster_has_no_processes(tmp_path):
    assert family(tmp_path) == {}
