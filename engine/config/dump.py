"""A workflow as the file that an operator would have written."""

from io import StringIO

from pydantic import JsonValue
from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from engine.config.workflow import Workflow


def to_yaml(workflow: Workflow, *, header: str) -> str:
    """Write every setting as YAML under a comment; reading it back gives the same workflow."""
    writer = YAML(typ="rt", pure=True)
    # Long texts stay on one line: a folded one is hard to compare between two files.
    writer.width = 1 << 20
    writer.allow_unicode = True
    written = StringIO()
    writer.dump(_quoted(workflow.model_dump(mode="json")), written)
    return "".join(f"# {line}".rstrip() + "\n" for line in _lines(header)) + written.getvalue()


def _quoted(value: JsonValue) -> JsonValue:
    """The same values, with every text in quotes whose characters YAML would take for line ends."""
    if isinstance(value, dict):
        return {_quoted_text(key): _quoted(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_quoted(inner) for inner in value]
    return _quoted_text(value) if isinstance(value, str) else value


def _quoted_text(text: str) -> str:
    return text if text.isprintable() else DoubleQuotedScalarString(text)


def _lines(header: str) -> list[str]:
    """Lines that are safe as comments, whatever a reason or a name in them holds."""
    return [
        "".join(character if character.isprintable() else " " for character in line)
        for line in header.splitlines()
    ]
