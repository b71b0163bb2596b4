"""The active configuration file of a workflow, kept as the ledger says."""

from pathlib import Path

from engine.books.active import read_active, write_active
from engine.config.dump import to_yaml
from engine.config.workflow import Workflow
from engine.experiment.state import WorkflowState
from engine.experiment.variant import configured


def write_active_of(root: Path, workflow: WorkflowState) -> Path:
    """Write the baseline's settings, atomically, unless the file says so already.

    Raises:
        StoreFullError: The disk is full; the old file still stands.
    """
    text = active_text(workflow)
    path = root / "active" / f"{workflow.name}.yaml"
    if read_active(root, workflow.name) != text:
        return write_active(root, workflow.name, text)
    return path


def active_text(workflow: WorkflowState) -> str:
    """The baseline as a workflow's file."""
    installed = Workflow.model_validate(workflow.config)
    active = configured(installed, workflow.variants[workflow.baseline])
    return to_yaml(active, header=f"The active configuration: variant {workflow.baseline}.")
