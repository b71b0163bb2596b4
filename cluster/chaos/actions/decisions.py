"""What an operator does while the deployment is under load, rightly or wrongly; torn files too."""

import time

from cluster.chaos.http import say
from cluster.chaos.scenario import roll_out
from cluster.chaos.stage import Done, Stage

SEATED_S = 30.0
POISON = (
    "workflow: chaos\nllm: {temperature: .nan}\n",
    "workflow: chaos\ngraph:\n  nodes:\n    a: {type: text, text: '{{ b.text }}'}\n"
    "    b: {type: text, text: '{{ a.text }}'}\n  output: a.text\n",
)


def rollout(stage: Stage) -> Done:
    """Another candidate takes the place of the present one."""
    stage.rollouts += 1
    began = time.monotonic()
    chosen = roll_out(stage.root, stage.rollouts)
    stage.candidate = chosen.hash
    while time.monotonic() - began < SEATED_S:
        if say(stage.serving.url, variant=chosen.hash).variant == chosen.hash:
            took_s = time.monotonic() - began
            return Done(f"{chosen.hash} answered {took_s:.1f} s after its entry")
        time.sleep(0.1)
    return Done("")


def poison(stage: Stage) -> Done:
    """Workflows that can't be served are to be installed."""
    codes = []
    for number, text in enumerate(POISON):
        path = stage.root / f"poison-{number}.yaml"
        path.write_text(text)
        codes.append(stage.serving.command("install", str(path)).returncode)
        path.unlink()
    wrong = "" if set(codes) == {2} else f"exit codes {codes}, each should be 2"
    return Done(f"{len(codes)} files were to be installed", wrong=wrong)


def torn_files(stage: Stage) -> Done:
    """Half-written and foreign files lie among the store's."""
    noise = stage.dice.randbytes(5_000)
    files = {
        "parquet/exposure/foreign.parquet": b"PAR1" + noise,
        "parquet/trace/tmp-half": noise[:100],
        "parquet/trace/empty.parquet": b"",
        "spools/half.db": b"SQLite format 3\0" + noise[:500],
    }
    for name, content in files.items():
        path = stage.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return Done(f"{len(files)} torn files were put among the store's")
