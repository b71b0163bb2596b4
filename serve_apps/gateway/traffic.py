"""Which variant serves a request: in process, from an immutable snapshot."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from engine.books.secret import sign, verified
from engine.errors import ClusterError, ConfigError, NotFoundError
from engine.experiment.branch import branch_of, is_branch
from engine.experiment.split import assign, epoch_of
from serve_apps.snapshot import Snapshot, WorkflowSnapshot

SEPARATOR = "~"
BEGIN_S = 10.0


@dataclass(frozen=True)
class Conversation:
    """A unit with the snapshot version and epoch that it began under."""

    unit_id: str
    version: int
    epoch: str
    began_at: float

    def signed(self, secret: bytes) -> str:
        """The id that a client sends back to stay with its variant."""
        parts = (self.unit_id, str(self.version), self.epoch, f"{self.began_at:.3f}")
        return sign(secret, SEPARATOR.join(parts))


@dataclass(frozen=True)
class Route:
    """One request's assignment and the slot that answers it."""

    workflow: str
    conversation: Conversation
    variant: str
    """Assigned by the split."""
    served: str
    """Answers: another one when the assigned variant can't."""
    slot: str
    window: str
    bucket: int
    lapsed: str
    forced: bool


def nobody(_: str) -> frozenset[str]:
    """No variant is passed over."""
    return frozenset()


class Traffic:
    """The present snapshot and the one law by which it is applied.

    A conversation keeps the split that it began under; only expiry of the conversation, a lapsed
    lease or a variant that is no longer fit to answer overrides it, in favour of the baseline.
    `out` says which variants of a workflow are passed over for now.
    """

    def __init__(self, secret: bytes, out: Callable[[str], frozenset[str]] = nobody) -> None:
        self._secret = secret
        self._out = out
        self._begun = asyncio.Event()
        self.snapshot: Snapshot | None = None

    def begin(self, snapshot: Snapshot) -> None:
        """Put a snapshot in force, whole."""
        self.snapshot = snapshot
        self._begun.set()

    async def has_begun(self) -> None:
        """Wait until there is a snapshot: a replica that was just started has none yet.

        Raises:
            ClusterError: None came in time.
        """
        if not self._begun.is_set():
            try:
                async with asyncio.timeout(BEGIN_S):
                    await self._begun.wait()
            except TimeoutError as error:
                raise ClusterError("this gateway has no snapshot yet; retry shortly") from error

    @property
    def revision(self) -> int:
        """Number of the snapshot in force; -1 before the first."""
        return self.snapshot.revision if self.snapshot else -1

    @property
    def names(self) -> list[str]:
        """The workflows that are served, without the branches of one."""
        served = self.snapshot.workflows if self.snapshot else {}
        return sorted(
            name for name in served if not any(is_branch(name, other) for other in served)
        )

    def workflow(self, name: str) -> WorkflowSnapshot:
        """The named workflow's part of the snapshot.

        Raises:
            NotFoundError: It isn't served here.
        """
        served = self.snapshot.workflows if self.snapshot else {}
        if name not in served:
            known = ", ".join(sorted(served)) or "none yet"
            raise NotFoundError(f"workflow {name!r} is not served here; served: {known}")
        return served[name]

    def baseline_slot(self, name: str) -> str:
        """The slot that seats the workflow's baseline.

        Raises:
            ClusterError: None does now.
            NotFoundError: The workflow isn't served here.
        """
        workflow = self.workflow(name)
        slot = workflow.routes.get(workflow.split.baseline)
        if slot is None:
            raise ClusterError(f"no slot seats the baseline of {name} now; retry shortly")
        return slot

    def route(
        self,
        name: str,
        said: str,
        fresh_id: str,
        at: float,
        *,
        segment: str = "",
        forced: str = "",
    ) -> Route:
        """Assign a request.

        `said` is the conversation id that the client sent, signed by us or its own; without one
        the request is a conversation of its own, named `fresh_id`. A conversation begins in the
        branch of its first request's `segment`, where there is one, and stays there. A variant
        that is passed over for now stays assigned; the baseline answers in its place.

        Raises:
            ClusterError: Not even the baseline is seated.
            NotFoundError: The workflow or the forced variant isn't served here.
        """
        self.workflow(name)
        known = self._known(said)
        name = self._branch(name, known, segment, forced)
        workflow = self.workflow(name)
        conversation = _kept(workflow, known, at) or Conversation(
            unit_id=known.unit_id if known else said or fresh_id,
            version=workflow.version,
            epoch=epoch_of(workflow.split, at),
            began_at=at,
        )
        split = workflow.splits[conversation.version]
        lapsed = workflow.lapsed(split, at)
        assigned = assign(conversation.unit_id, split, conversation.epoch, lapsed)
        variant = forced or assigned.variant
        can_answer = variant in workflow.routes and (forced or variant not in self._out(name))
        served = variant if can_answer else workflow.split.baseline
        if served not in workflow.routes:
            raise ClusterError(f"no slot seats the baseline of {name} now; retry shortly")
        if forced and served != forced:
            raise NotFoundError(
                f"variant {forced!r} is not seated; seated: {', '.join(sorted(workflow.routes))}"
            )
        return Route(
            workflow=name,
            conversation=conversation,
            variant=variant,
            served=served,
            slot=workflow.routes[served],
            window=assigned.window,
            bucket=assigned.bucket,
            lapsed="".join(f",{window}" for window in sorted(lapsed)) + ("," if lapsed else ""),
            forced=bool(forced),
        )

    def _known(self, said: str) -> Conversation | None:
        """The conversation that an id of ours names."""
        text = verified(self._secret, said) if said else None
        return None if text is None else Conversation(*_parts(text))

    def _branch(self, name: str, known: Conversation | None, segment: str, forced: str) -> str:
        """The workflow, or the branch of it that takes this request."""
        served = self.snapshot.workflows if self.snapshot else {}
        branches = [other for other in served if is_branch(other, name)]
        if not branches:
            return name
        own = branch_of(name, segment)
        likely = [own, name, *branches] if own in served else [name, *branches]
        for other in likely:
            if known is not None and known.version in served[other].splits:
                return other
        return next((one for one in likely if forced and forced in served[one].routes), likely[0])


def _kept(workflow: WorkflowSnapshot, known: Conversation | None, at: float) -> Conversation | None:
    """The conversation as it goes on; None where it begins anew."""
    if known is None or known.version not in workflow.splits:
        return None
    return known if at - known.began_at < workflow.conversation_ttl_s else None


def _parts(text: str) -> tuple[str, int, str, float]:
    try:
        unit_id, version, epoch, began_at = text.rsplit(SEPARATOR, 3)
        return unit_id, int(version), epoch, float(began_at)
    except ValueError as error:
        raise ConfigError(f"conversation id {text!r} is signed but not one of ours") from error
