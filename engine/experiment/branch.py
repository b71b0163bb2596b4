"""A branch of a workflow: the requests of one segment, with a baseline and windows of their own.

To the ledger a branch is a workflow like any other, so what is proved, ramped, held back and
rolled back there works as everywhere; only the gateway knows that it shares a name with its root.
"""

SEPARATOR = "."
"""Between the root's name and the segment; no workflow's own name holds it."""


def branch_of(workflow: str, segment: str) -> str:
    """The name of the branch that takes this segment's requests."""
    return f"{workflow}{SEPARATOR}{segment}"


def is_branch(name: str, workflow: str) -> bool:
    """Whether a name is that of one of the workflow's branches."""
    return name.startswith(f"{workflow}{SEPARATOR}")
