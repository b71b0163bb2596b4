"""The names under which the parts of a deployment find each other."""

NAMESPACE = "trimtab"
CONTROL = "trimtab-control"
SELECTOR = "trimtab-selector"
GATEWAY = "gateway"
EMBEDDER = "embedder"
EMBEDDED = "embedded"
EMBEDDED_PREFIX = "/embedded"


def slot_name(number: int) -> str:
    """The application name of a slot."""
    return f"slot-{number}"
