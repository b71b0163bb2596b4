"""Checks of a workspace: its secret, its two books, its cluster."""

import json
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from cluster.doctor.finding import Finding, fail, ok, warn
from engine.books.ledger import Ledger
from engine.books.store import Store
from engine.errors import TrimtabError
from engine.experiment.fold import fold

PROBE_S = 2.0
OPEN_BITS = stat.S_IRWXG | stat.S_IRWXO


def workspace_findings(root: Path) -> Iterator[Finding]:
    """Everything about a workspace; one line says so when there is none."""
    if not (root / "ledger.db").is_file():
        yield ok("workspace", f"none at {root} yet; `trimtab up` and `trimtab demo` make one")
        return
    yield ok("workspace", str(root))
    checks: list[Callable[[Path], Finding]] = [secret, ledger, store, quarantine, cluster]
    for check in checks:
        try:
            yield check(root)
        except (TrimtabError, OSError) as error:
            yield fail(check.__name__, str(error), "restore the workspace from a backup")


def secret(root: Path) -> Finding:
    """Whether only its owner can read the secret that ids are signed with."""
    path = root / "secret"
    if not path.exists():
        return warn("secret", "none yet", "`trimtab up` makes one")
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & OPEN_BITS:
        return fail("secret", f"mode {mode:04o}: others can read it", f"chmod 600 {path}")
    return ok("secret", f"mode {mode:04o}")


def ledger(root: Path) -> Finding:
    """Whether the chain holds and every entry follows from those before it."""
    book = Ledger(str(root / "ledger.db"))
    try:
        checked = book.check_chain()
        fold(book.read())
    finally:
        book.close()
    return ok("ledger", f"{checked} entries hold")


def store(root: Path) -> Finding:
    """Whether every stored file can be read."""
    book = Store(root)
    try:
        problems = book.check()
        position = book.position()
    finally:
        book.close()
    if problems:
        first = problems[0]
        return fail(
            "store",
            f"{len(problems)} damaged, first {first.path}: {first.why}",
            "`trimtab verify` names the decisions that rest on them; restore the files",
        )
    return ok("store", f"every file up to {position} can be read")


def quarantine(root: Path) -> Finding:
    """Whether damaged files were set aside."""
    aside = sorted(path.name for path in (root / "quarantine").glob("*"))
    if aside:
        advice = "restore them from a backup, or keep them for the record"
        return warn("quarantine", f"{len(aside)} files: {', '.join(aside[:3])}", advice)
    return ok("quarantine", "empty")


def cluster(root: Path) -> Finding:
    """Whether the cluster on record can be reached."""
    path = root / "cluster.json"
    if not path.exists():
        return ok("cluster", "nothing is up")
    try:
        known = json.loads(path.read_text())
        places = [known["address"], urlsplit(known["url"]).netloc]
    except (ValueError, KeyError) as error:
        return fail("cluster", f"{path}: unreadable ({error})", "`trimtab down`, then `trimtab up`")
    dead = [place for place in places if not _answers(place)]
    if dead:
        return fail(
            "cluster", f"{', '.join(dead)} does not answer", "`trimtab down`, then `trimtab up`"
        )
    return ok("cluster", f"Ray at {places[0]} and HTTP at {places[1]} answer")


def _answers(place: str) -> bool:
    host, _, port = place.rpartition(":")
    with socket.socket() as probe:
        probe.settimeout(PROBE_S)
        try:
            return probe.connect_ex((host, int(port))) == 0
        except (OSError, ValueError):
            return False
