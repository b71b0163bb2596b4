"""Until when gateways honour each window."""

from collections.abc import Collection

from engine.experiment.state import State
from engine.experiment.window import Window


class Leases:
    """When every window that carries a lease lapses, unless its trial renews it."""

    def __init__(self) -> None:
        self.lapses_at: dict[str, float] = {}
        """Unix time by window."""

    def grant(self, state: State, now: float) -> None:
        """A window's lease begins when it is first seen open, and a lapsed one stays lapsed.

        A conversation that the baseline took over must not return to the candidate because the
        window was closed meanwhile.
        """
        kept: dict[str, float] = {}
        for workflow in state.workflows.values():
            for window in workflow.windows.values():
                at = self.lapses_at.get(window.id)
                if window.is_open and window.lease_s > 0:
                    kept[window.id] = now + window.lease_s if at is None else at
                elif at is not None and at <= (window.closed_at or now):
                    kept[window.id] = at
        self.lapses_at = kept

    def renew(self, window: Window, now: float) -> float:
        """Extend an open window's lease by its own length; answers with the time it lapses."""
        self.lapses_at[window.id] = now + window.lease_s
        return self.lapses_at[window.id]

    def of(self, windows: Collection[str]) -> dict[str, float]:
        """The leases of these windows."""
        return {id_: at for id_, at in self.lapses_at.items() if id_ in windows}
