"""A reader that looks at the whole store again and again while everything around it dies."""

import json
import sys
import threading
import time
from pathlib import Path

from cluster.chaos.evidence import Reading
from engine.books.store import Store
from engine.errors import TrimtabError
from engine.evidence.records import SCHEMAS

PERIOD_S = 1.0
READINGS = "readings.jsonl"
KEYS = {"exposure": "trace_id", "trace": "trace_id", "feedback": "key"}


def read_once(root: Path) -> Reading:
    """All rows of all kinds, up to one position, counted."""
    at, position, rows = time.time(), 0, dict[str, int]()
    try:
        store = Store(root)
        try:
            position = store.position()
            for kind in SCHEMAS:
                rows[kind] = store.read(kind, upto=position, columns=[KEYS[kind]]).height
        finally:
            store.close()
    except TrimtabError as error:
        return Reading(at=at, position=position, rows=rows, error=str(error))
    return Reading(at=at, position=position, rows=rows)


def read_readings(root: Path) -> list[Reading]:
    """What it wrote down."""
    path = root / READINGS
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    lines = [line for line in text.splitlines(keepends=True) if line.endswith("\n")]
    return [Reading.model_validate_json(line) for line in lines]


def main() -> None:
    """Read until standard input is closed."""
    root, over = Path(json.loads(sys.argv[1])["root"]), threading.Event()

    def wait() -> None:
        sys.stdin.read()
        over.set()

    threading.Thread(target=wait, daemon=True).start()
    with (root / READINGS).open("a", encoding="utf-8", buffering=1) as file:
        while not over.wait(PERIOD_S):
            file.write(read_once(root).model_dump_json() + "\n")


if __name__ == "__main__":
    main()
