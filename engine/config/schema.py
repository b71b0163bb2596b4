"""The files that an operator may write, as JSON Schemas for editors."""

from typing import Any

from pydantic import BaseModel

from engine.config.experiment import Experiment
from engine.config.workflow import Workflow

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schemas() -> dict[str, dict[str, Any]]:
    """A JSON Schema for each kind of file; single values only, not their combinations."""
    kinds: dict[str, type[BaseModel]] = {"workflow": Workflow, "experiment": Experiment}
    return {name: {"$schema": _DIALECT, **kind.model_json_schema()} for name, kind in kinds.items()}
