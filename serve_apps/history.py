"""Which splits a gateway still needs: the present one, and those that conversations live under."""

from engine.experiment.split import Split
from engine.experiment.state import WorkflowState

SLACK_S = 60.0
"""How long a gateway may begin conversations under a split without having heard of a newer one."""


class History:
    """When each split stopped being the one in force, as its publisher saw it.

    One that was superseded before this history began counts from its first look, so a publisher
    that was started again keeps a split for too long rather than too short a time.
    """

    def __init__(self) -> None:
        self._until: dict[tuple[str, int], float] = {}

    def needed(
        self, workflow: WorkflowState, version: int, ttl_s: float, now: float
    ) -> dict[int, Split]:
        """The split in force and those under which a conversation may go on.

        The ledger's fold keeps every split, and outcomes are measured by that one.
        """
        self._until.pop((workflow.name, version), None)
        return {
            number: split
            for number, split in workflow.splits.items()
            if number == version
            or (number < version and self._ended(workflow.name, number, now) + ttl_s > now)
        }

    def _ended(self, workflow: str, version: int, now: float) -> float:
        return self._until.setdefault((workflow, version), now) + SLACK_S
