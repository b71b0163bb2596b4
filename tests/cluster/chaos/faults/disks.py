"""What the books do on a disk of their own that fills up or becomes read-only, as a child process.

`unshare -Urm python -m tests.cluster.chaos.faults.disks CASE FOLDER`: the disk is the child's own.
"""

import contextlib
import json
import subprocess
import sys
from pathlib import Path

from engine.books.compactor import Compactor
from engine.books.feedback import FeedbackBook
from engine.books.ledger import Ledger
from engine.books.store import Store
from engine.errors import StoreFullError
from tests.engine.books.facts import exposure, score, spool_in

CHUNK = 64 * 1024


def mounted(folder):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)], check=True)


def attempts(root, spool, book, ledger, compactor):
    """Which of the books refuse to be written."""
    refused = []

    def attempt(name, write):
        try:
            write()
        except StoreFullError:
            refused.append(name)

    attempt("exposure", lambda: spool.write([("exposure", exposure("refused" * 2_000))]))
    attempt("feedback", lambda: book.record([score("k" * 8_000)]))
    body = {"long": "x" * 80_000}
    attempt("decision", lambda: ledger.append("Kept", body, expected=1, at=1.0, actor="a"))
    attempt("shipping", lambda: compactor.step(2.0))
    return refused


def full(root):
    """Everything is refused while there is no space, and nothing is lost when there is again."""
    mounted(root)
    spool, book = spool_in(root, "w"), FeedbackBook(root / "feedback.db")
    ledger, compactor = Ledger(str(root / "ledger.db")), Compactor(root)
    spool.write([("exposure", exposure("before"))])
    book.record([score("before")])
    ledger.append("Kept", {}, expected=0, at=1.0, actor="a")
    with (root / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        while filler.write(b"\0" * CHUNK):
            pass
    refused = attempts(root, spool, book, ledger, compactor)
    (root / "filler").unlink()
    spool.write([("exposure", exposure("after"))])
    book.record([score("after")])
    ledger.append("Kept", {}, expected=ledger.head(), at=2.0, actor="a")
    while compactor.step(3.0):
        pass
    return {"refused": refused, **stored(root), "decisions": ledger.check_chain()}


def read_only(root):
    """Nothing can be written, and all that was acknowledged is there afterwards."""
    mounted(root)
    before = FeedbackBook(root / "feedback.db")
    before.record([score("before")])
    before.close()
    refused = []
    subprocess.run(["mount", "-o", "remount,ro", str(root)], check=True)
    for name, write in {
        "feedback": lambda: FeedbackBook(root / "feedback.db").record([score("meanwhile")]),
        "another": lambda: FeedbackBook(root / "another.db").record([score("meanwhile")]),
        "decision": lambda: Ledger(str(root / "ledger.db")).append(
            "Kept", {}, expected=0, at=1.0, actor="a"
        ),
    }.items():
        try:
            write()
        except StoreFullError:
            refused.append(name)
    subprocess.run(["mount", "-o", "remount,rw", str(root)], check=True)
    FeedbackBook(root / "feedback.db").record([score("after")])
    compactor = Compactor(root)
    while compactor.step(3.0):
        pass
    return {"refused": refused, **stored(root)}


def stored(root):
    store = Store(root)
    return {
        "exposures": sorted(store.read("exposure")["trace_id"].to_list()),
        "feedback": sorted(store.read("feedback")["key"].to_list()),
        "problems": [problem.path for problem in store.check()],
    }


if __name__ == "__main__":
    case, folder = {"full": full, "read_only": read_only}[sys.argv[1]], Path(sys.argv[2])
    sys.stdout.write(json.dumps(case(folder)) + "\n")
