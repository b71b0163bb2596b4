"""The texts that a workflow may read."""

import pydoc_data.topics


def python_reference() -> dict[str, str]:
    """The Python language reference that ships with the interpreter, by topic."""
    return dict(sorted(pydoc_data.topics.topics.items()))
