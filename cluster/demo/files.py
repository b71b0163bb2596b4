"""Where the demonstration's configuration files are."""

from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "configs" / "demo"
WORKFLOW = FOLDER / "workflow.yaml"
EXPERIMENT = FOLDER / "experiment.yaml"
QUESTIONS = FOLDER / "questions.jsonl"
