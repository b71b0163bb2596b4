"""Bytes that queued and finished conversations take on disk, against what was said in them."""

import json
import tempfile
from pathlib import Path

from cluster.bench.rows import Row, judged
from cluster.bench.serving.ground import Setting
from cluster.demo.files import QUESTIONS
from engine.workflow.corpus import python_reference
from serve_apps.tasks.footprint import conversations, footprint_finished, footprint_queued

COUNT, QUICK_COUNT = 3_000, 600
PARAPHRASED = 0.1
"""Of an answer's words, those that are not the passage's: no model quotes for pages."""
GOAL = ">= 0.83"


def measure(setting: Setting) -> list[Row]:
    """Conversations about the Python reference in the book of tasks, with all of its file."""
    count = QUICK_COUNT if setting.quick else COUNT
    questions = [json.loads(line)["question"] for line in QUESTIONS.read_text().splitlines()]
    made = list(
        conversations(questions, python_reference(), most=count, paraphrased=PARAPHRASED, seed=1)
    )
    found = []
    for which, footprint in (("queued", footprint_queued), ("finished", footprint_finished)):
        with tempfile.TemporaryDirectory() as folder:
            saved = footprint(Path(folder), made).saved
        what = f"saved on disk of {count:,} {which} conversations"
        found.append(judged(Row(id=f"stored-{which}", what=what, value=saved, unit="", goal=GOAL)))
    return found
