import json
import shutil
import subprocess
import sys

import pytest

from engine.books.feedback import FeedbackBook
from engine.errors import StoreFullError

UNSHARE = ("unshare", "-Urm")


def may_mount():
    if shutil.which("unshare") is None:
        return False
    tried = subprocess.run([*UNSHARE, "true"], check=False, capture_output=True)
    return tried.returncode == 0


needs_a_disk = pytest.mark.skipif(not may_mount(), reason="no disk of one's own can be mounted")


def on_a_disk(case, folder):
    folder.mkdir()
    command = [*UNSHARE, sys.executable, "-m", "tests.cluster.chaos.faults.disks", case]
    done = subprocess.run(
        [*command, str(folder)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@needs_a_disk
def test_a_full_disk_refuses_and_heals(tmp_path):
    told = on_a_disk("full", tmp_path / "disk")

    assert told["refused"] == ["exposure", "feedback", "decision", "shipping"]
    assert told["exposures"] == told["feedback"] == ["after", "before"]
    assert told["decisions"] == 2
    assert told["problems"] == []


@needs_a_disk
def test_a_read_only_disk_refuses_and_heals(tmp_path):
    told = on_a_disk("read_only", tmp_path / "disk")

    assert told["refused"] == ["feedback", "another", "decision"]
    assert told["feedback"] == ["after", "before"]
    assert told["problems"] == []


def test_a_place_that_cannot_be_written_is_refused_with_what_to_do(tmp_path):
    (tmp_path / "folder").write_text("a file where a folder should be")

    with pytest.raises(StoreFullError, match="retry"):
        FeedbackBook(tmp_path / "folder" / "feedback.db")
