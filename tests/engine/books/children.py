"""What the other processes of the tests do."""

import json
import os
import resource
from contextlib import suppress
from pathlib import Path

from engine.books.compactor import Compactor
from engine.books.feedback import FeedbackBook
from engine.books.ledger import Ledger
from engine.books.merging import merge
from engine.books.secret import workspace_secret
from engine.books.spool import Committer
from engine.errors import StaleAppendError, StoreFullError
from tests.engine.books.facts import exposure, score, spool_in, trace

KILLED = 137


def append(say, path, actor, last):
    """Race for every number up to ``last``; say which were won."""
    ledger = Ledger(path)
    while (head := ledger.head()) < int(last):
        with suppress(StaleAppendError):
            say(ledger.append("Raced", {}, expected=head, at=1.0, actor=actor).seq)
    ledger.close()


def secret(say, root):
    say(workspace_secret(Path(root)).hex())


def feedback(say, root, count):
    """Record the same keys as everybody else; say which were new here."""
    book = FeedbackBook(Path(root) / "feedback.db")
    for key in range(int(count)):
        if book.record_one(score(str(key))) == "stored":
            say(key)
    book.close()


def write_for_ever(say, root, writer):
    """Write until killed; say each id after its acknowledgement."""
    committer = Committer(spool_in(Path(root), writer))
    number = 0
    while True:
        names = [f"{writer}-{number + place}" for place in range(8)]
        futures = [committer.submit("exposure", exposure(name)) for name in names]
        for name, future in zip(names, futures, strict=True):
            future.result()
            say(name)
        number += len(names)


def die_at(_, root, point):
    """Write, ship and merge, and die at this point as a killed process would."""

    def passing(at):
        if at == point:
            os._exit(KILLED)

    workspace = Path(root)
    book = FeedbackBook(workspace / "feedback.db", passing=passing)
    book.record([score("last")])
    spool = spool_in(workspace, "last", passing=passing)
    spool.write([("exposure", exposure("last")), ("trace", trace("last"))])
    spool.close()
    compactor = Compactor(workspace, passing=passing)
    compactor.step(2.0)
    # roll-ups follow a step behind
    compactor.step(2.0)
    merge(compactor, "exposure", 3.0, least_files=2)


def full_spool(say, root):
    """Write until the disk is full, then free it and go on; say what was acknowledged."""
    spool = spool_in(Path(root), "full")
    spool.write([("trace", trace("first"))])
    acknowledged, refused = ["first"], 0
    with limited(200_000):
        for number in range(200):
            name = f"{number}"
            try:
                spool.write([("trace", trace(name) | {"spans": os.urandom(2000).hex()})])
            except StoreFullError:
                refused += 1
            else:
                acknowledged.append(name)
    spool.write([("trace", trace("afterwards"))])
    say(json.dumps({"acknowledged": [*acknowledged, "afterwards"], "refused": refused}))


def full_store(say, root):
    """Fail to ship and to append on a full disk, then succeed; say what was refused."""
    workspace = Path(root)
    compactor = Compactor(workspace)
    ledger = Ledger(str(workspace / "ledger.db"))
    refused = []
    with limited(80_000):
        try:
            compactor.step(1.0)
        except StoreFullError:
            refused.append("step")
        try:
            ledger.append("Kept", {"long": "x" * 200_000}, expected=0, at=1.0, actor="a")
        except StoreFullError:
            refused.append("append")
    left = [path.name for path in (workspace / "parquet").rglob("*") if path.is_file()]
    ledger.append("Kept", {}, expected=0, at=1.0, actor="a")
    shipped = compactor.step(2.0)
    say(json.dumps({"refused": refused, "left": left, "shipped": shipped}))


class limited:  # noqa: N801 - reads as a word where it is used
    """No file may grow beyond this size."""

    def __init__(self, size):
        self.size = size

    def __enter__(self):
        self.before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.size, self.before[1]))

    def __exit__(self, *_):
        resource.setrlimit(resource.RLIMIT_FSIZE, self.before)


def play(name, journal, *args):
    """Do what this name says, in this process, and write a journal of it."""

    def say(word):
        with Path(journal).open("a") as file:
            file.write(f"{word}\n")

    globals()[name](say, *args)
