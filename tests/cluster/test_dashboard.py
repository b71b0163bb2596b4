"""The study's page: the real optuna-dashboard over HTTP, which can look and nothing else."""

import contextlib
import socket
import subprocess
import sys
import time

import httpx2
import optuna
import psutil
import pytest

from cluster.dashboard import _end, _start, _wait_for, study_page
from cluster.head import free_ports
from engine.errors import ClusterError, ConfigError
from search.searcher import storage_of


@pytest.fixture
def port():
    return free_ports(1)[0]


@pytest.fixture(params=["workspace", "a work#space, 100%"])
def root(tmp_path, request):
    root = tmp_path / request.param
    root.mkdir()
    return root


def study_of(root, trials):
    study = optuna.create_study(study_name="docs-qa", storage=storage_of(root))
    study.enqueue_trial({"rag.top_k": 5})
    study.optimize(lambda trial: trial.suggest_int("rag.top_k", 3, 9) / 10, n_trials=trials)
    return study


def trials_of(http, study_id, count):
    """The trials that the page shows once it has this many; it looks every two seconds."""
    give_up = time.monotonic() + 10
    while True:
        shown = http.get(f"/api/studies/{study_id}").raise_for_status().json()["trials"]
        if len(shown) == count or time.monotonic() > give_up:
            return shown
        time.sleep(0.1)


def listening(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_the_page_shows_a_live_study_and_leaves_it_as_it_was(root, port):
    study = study_of(root, trials=2)
    before = (root / "study.db").read_bytes()

    with study_page(root, port) as url, httpx2.Client(base_url=url, trust_env=False) as http:
        (listed,) = http.get("/api/studies").json()["study_summaries"]
        page = http.get("/", follow_redirects=True)
        shown = trials_of(http, listed["study_id"], 2)
        looked_at = (root / "study.db").read_bytes()
        study.optimize(lambda trial: trial.suggest_int("rag.top_k", 3, 9) / 10, n_trials=1)
        later = trials_of(http, listed["study_id"], 3)
        refused = http.delete(f"/api/studies/{listed['study_id']}")

    assert listed["study_name"] == "docs-qa"
    assert page.headers["content-type"].startswith("text/html")
    assert [trial["values"] for trial in shown] == [trial.values for trial in study.trials[:2]]
    assert shown[0]["params"][0]["name"] == "rag.top_k"
    assert looked_at == before
    assert len(later) == 3
    assert refused.is_error
    assert len(optuna.load_study(study_name="docs-qa", storage=storage_of(root)).trials) == 3
    assert not listening(port)


def test_the_page_is_there_before_the_first_trial(tmp_path, port):
    with study_page(tmp_path, port) as url:
        answer = httpx2.get(f"{url}/api/studies", trust_env=False)

    assert answer.json() == {"study_summaries": []}


def test_the_page_ends_with_an_interrupted_search(tmp_path, port):
    before = psutil.Process().children()
    with contextlib.suppress(KeyboardInterrupt), study_page(tmp_path, port):
        started = [child for child in psutil.Process().children() if child not in before]
        raise KeyboardInterrupt

    assert started
    assert not any(child.is_running() for child in started)
    assert not listening(port)


def test_the_page_ends_with_a_search_that_is_killed(tmp_path, port):
    script = (
        "import sys; from pathlib import Path; from cluster.dashboard import study_page\n"
        "with study_page(Path(sys.argv[1]), int(sys.argv[2])):\n"
        "    print('up', flush=True); sys.stdin.read()"
    )
    search = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path), str(port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with search:
        assert search.stdout.readline() == b"up\n"
        was_up = listening(port)

        search.kill()

    give_up = time.monotonic() + 10
    while listening(port):
        assert time.monotonic() < give_up, "the page outlived its search"
        time.sleep(0.05)
    assert was_up


def test_a_taken_port_is_named_with_the_option_that_changes_it(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with (
            pytest.raises(ConfigError, match=rf"port {port} .*--dashboard-port"),
            study_page(tmp_path, port),
        ):
            pass

    assert not (tmp_path / "study.db").exists()


def test_a_missing_package_says_what_to_install(tmp_path, port, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna_dashboard", None)

    with (
        pytest.raises(ConfigError, match=r"pip install 'trimtab\[dashboard\]'"),
        study_page(tmp_path, port),
    ):
        pass


def test_a_page_that_does_not_come_up_names_its_log(tmp_path, port):
    log = tmp_path / "dashboard.log"
    process = _start(tmp_path / "nowhere", port, log)

    with pytest.raises(ClusterError, match=r"dashboard\.log"):
        _wait_for(f"http://127.0.0.1:{port}", process, log)
    _end(process)

    assert log.read_text()
