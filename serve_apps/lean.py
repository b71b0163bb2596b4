"""Leaves out of Ray Serve what no deployment needs; every worker imports this as it starts.

Serve imports pandas to be able to print tables of it, in more than a dozen processes with 40 MB
and a third of a second each, and does without if there is none.
"""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

ASKING = "ray.serve._private.utils"
"""The module that has pandas as `pd`, or None."""


class WithoutTables(MetaPathFinder):
    """Finds no pandas for Serve, and leaves everybody else's imports alone."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Refuse while Serve's module is about to bind it; otherwise leave it to others."""
        asking = sys.modules.get(ASKING)
        if name == "pandas" and asking is not None and not hasattr(asking, "pd"):
            raise ImportError("left out, since Serve only wants to print its tables", name=name)
        return None


sys.meta_path.insert(0, WithoutTables())
