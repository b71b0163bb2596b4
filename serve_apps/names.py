"""The names under which the parts of a deployment find each other."""

NAMESPACE = "trimtab"
CONTROL = "trimtab-control"
SELECTOR = "trimtab-selector"
GATEWAY = "gateway"
EMBEDDER = "embedder"
EMBEDDED = "embedded"
INLINE = "inline"
"""Stands for a slot where the gateways answer by themselves."""
EMBEDDED_PREFIX = "/embedded"


def slot_name(number: int) -> str:
    """The application name of a slot."""
    return f"slot-{number}"
