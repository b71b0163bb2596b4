import json
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]

ANSWER = """
import json, sys
from serve_apps.embedded.protocol import ChatRequest
from serve_apps.embedded.reader import read

strangers = [name for name in sys.modules if name.split(".")[0] in ("cluster", "search", "configs")]
assert not strangers, strangers

def watched(event, arguments):
    if event.startswith(("open", "socket.", "os.listdir", "subprocess.")):
        raise PermissionError(f"{event} {arguments}")

requests = [ChatRequest.model_validate(each) for each in json.load(open(sys.argv[1]))]
sys.addaudithook(watched)
sys.stdout.write("\\n".join(repr(read(request, 3)) for request in requests))
"""


def answers_of(house: Path, requests: Path) -> bytes:
    command = [sys.executable, "-c", ANSWER, str(requests)]
    return subprocess.run(command, cwd=house, check=True, capture_output=True).stdout


def copied(house: Path, facts: str | None) -> Path:
    for room in ("engine", "serve_apps/embedded", "configs"):
        shutil.copytree(ROOT / room, house / room)
    questions = house / "configs" / "demo" / "questions.jsonl"
    rows = [json.loads(line) for line in questions.read_text(encoding="utf-8").splitlines()]
    if facts is not None:
        noisy = [json.dumps(row | {"facts": [[facts]]}) for row in rows]
        questions.write_text("\n".join(noisy), encoding="utf-8")
    return house


def test_with_the_facts_replaced_by_noise_its_answers_are_the_same_bytes(tmp_path):
    rows = (ROOT / "configs" / "demo" / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    context = (
        "Context:\n[1] A list is mutable. A tuple is not. The del statement removes names.\n\n"
    )
    asked = [
        {
            "model": "m",
            "messages": [
                {"role": "user", "content": f"{context}Question: {json.loads(row)['question']}"}
            ],
        }
        for row in rows
    ]
    requests = tmp_path / "requests.json"
    requests.write_text(json.dumps(asked))

    true = answers_of(copied(tmp_path / "true", None), requests)
    noisy = answers_of(copied(tmp_path / "noisy", "xyzzy"), requests)

    assert true == noisy
    assert true.count(b"\n") == len(rows) - 1
