"""Facts, workspaces and child processes for the tests of the books."""

import multiprocessing
import tempfile
import time
from contextlib import closing
from pathlib import Path

from engine.books.compactor import Compactor
from engine.books.rollups import Rollups
from engine.books.store import Store
from tests.engine.books.children import play
from tests.engine.books.facts import exposure, spool_in, trace


def write(root, *names, kind="exposure", writer="w"):
    """One spool's whole life: it writes these rows and ends."""
    spool = spool_in(root, writer)
    spool.write([(kind, exposure(n) if kind == "exposure" else trace(n)) for n in names])
    spool.close()


def ship(root, at=1.0):
    count = 0
    with closing(Compactor(root)) as compactor:
        while new := compactor.step(at):
            count += new
    return count


def ids(root, kind="exposure", **span):
    column = "key" if kind == "feedback" else "trace_id"
    return Store(root).read(kind, **span)[column].to_list()


def rolled_up(root):
    """How many requests the roll-ups know."""
    with closing(Store(root)) as store, closing(Rollups(root)) as rollups:
        sums = rollups.read(store, since=0.0, rated_since=0.0).sums
    return sums.filter(node="")["calls"].sum()


class Child:
    """Another process, which says things line by line into a file."""

    def __init__(self, name, *args):
        self.journal = Path(tempfile.mkdtemp()) / "journal"
        self.journal.touch()
        self.process = _processes.Process(
            target=play, args=(name, str(self.journal), *map(str, args)), daemon=True
        )
        self.process.start()

    def said(self):
        *lines, _ = self.journal.read_text().split("\n")
        return lines

    def wait_for(self, count):
        """Wait until it has said this many lines."""
        deadline_s = time.monotonic() + 30.0
        while len(self.said()) < count:
            assert self.process.is_alive()
            assert time.monotonic() < deadline_s
            time.sleep(0.01)

    def kill(self):
        """Kill it as the system would, and wait for its end."""
        self.process.kill()
        self.process.join(30.0)

    def ended(self, code=0):
        """Wait for its end and return what it said."""
        self.process.join(30.0)
        assert self.process.exitcode == code
        return self.said()


# forked from a process that has the imports done and no threads yet
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["pytest", "tests.engine.books.children"])
