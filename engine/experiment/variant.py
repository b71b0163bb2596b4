"""One frozen setting of a workflow's parameters."""

import hashlib
import json
from collections.abc import Mapping
from typing import Self

from pydantic import BaseModel, ConfigDict

from engine.config.paths import SECTIONS, Setting, settings_of, with_settings
from engine.config.workflow import Workflow

COPY = "aa.copy"
"""A setting without meaning, which tells copies of one variant apart."""
REST = "file.rest"
"""Stands for all of a workflow's file that is no setting, such as its steps and its tools."""
UNSEEN = (
    *("workflow", "deploy", "holdout", "record_text", "conversation_ttl_s", "idempotent"),
    *("protection", "observability"),
)
"""What makes no difference to any answer."""


class Variant(BaseModel):
    """One frozen setting of every parameter of a workflow, named by its content.

    Two variants with the same settings have the same hash, whoever proposed them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    hash: str
    settings: dict[str, Setting]

    @classmethod
    def of(cls, settings: Mapping[str, Setting]) -> Self:
        """Name these settings by the first 12 hex digits of their SHA-256."""
        canonical = json.dumps(dict(settings), sort_keys=True, separators=(",", ":"))
        return cls(
            hash=hashlib.sha256(canonical.encode()).hexdigest()[:12], settings=dict(settings)
        )


def variant_of(workflow: Workflow, changes: Mapping[str, Setting] | None = None) -> Variant:
    """The variant that this workflow is, or would be after these changes.

    Raises:
        ConfigError: A change names no parameter, or makes the workflow impossible.
    """
    return Variant.of(
        {**settings_of(with_settings(workflow, changes or {})), REST: _rest(workflow)}
    )


def configured(workflow: Workflow, variant: Variant) -> Workflow:
    """The workflow with every parameter set as the variant says."""
    real = {path: value for path, value in variant.settings.items() if path not in {COPY, REST}}
    return with_settings(workflow, real)


def copy_of(variant: Variant, name: str) -> Variant:
    """A variant that behaves like this one but counts as another: for tests of A against A."""
    return Variant.of({**variant.settings, COPY: name})


def differences(
    before: Variant, after: Variant
) -> dict[str, tuple[Setting | None, Setting | None]]:
    """The parameters whose settings differ, as (before, after)."""
    paths = sorted(before.settings.keys() | after.settings.keys())
    pairs = {path: (before.settings.get(path), after.settings.get(path)) for path in paths}
    return {path: pair for path, pair in pairs.items() if pair[0] != pair[1]}


def _rest(workflow: Workflow) -> str:
    """A digest of what is neither a setting nor unseen: two files with one hash answer alike."""
    rest = workflow.model_dump(mode="json", exclude={*SECTIONS, *UNSEEN})
    canonical = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]
