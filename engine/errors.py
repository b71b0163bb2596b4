"""What Trimtab raises on purpose.

TrimtabError
├── ConfigError                 a file or a request asks for something impossible
├── BookError
│   ├── StaleAppendError        the ledger moved on since the writer last read it
│   ├── LedgerCorruptError      the chain of entries does not hold
│   ├── StoreCorruptError       a stored file can't be read
│   ├── StoreFullError          facts can't be made durable now
│   └── FeedbackConflictError   one idempotency key, two different bodies
├── UnmeasuredError             a figure was asked for that nobody measured
├── EvidenceMismatchError       a decision can't be recomputed from the two books
├── NotFoundError               an id that this workspace never gave out
├── UpstreamError               the model behind a workflow failed
├── DeadlineError               a request ran out of its time
└── ClusterError                Ray or Serve is not in the state a command needs
"""


class TrimtabError(Exception):
    """The root of every error that Trimtab raises on purpose."""


class ConfigError(TrimtabError):
    """A file or a request asks for something impossible; says where and what to write instead."""


class BookError(TrimtabError):
    """One of the two books can't be read or written."""


class StaleAppendError(BookError):
    """The ledger's head is not the one that the writer expected; read again, decide again."""

    def __init__(self, expected: int, head: int) -> None:
        super().__init__(f"ledger: expected head {expected}, found {head}; read again and retry")
        self.expected = expected
        self.head = head


class LedgerCorruptError(BookError):
    """An entry's hash or number does not follow from the one before it."""

    def __init__(self, seq: int, why: str) -> None:
        super().__init__(f"ledger: entry {seq}: {why}")
        self.seq = seq


class StoreCorruptError(BookError):
    """A stored file is torn, truncated or altered."""


class StoreFullError(BookError):
    """Facts can't be made durable now, for example because the disk is full."""


class FeedbackConflictError(BookError):
    """An idempotency key was used before with a different body."""


class UnmeasuredError(TrimtabError):
    """A figure was asked for that nobody measured; it is never taken as zero."""


class EvidenceMismatchError(TrimtabError):
    """A recorded decision does not follow from the two books."""


class NotFoundError(TrimtabError):
    """An id that this workspace never gave out."""


class UpstreamError(TrimtabError):
    """The model behind a workflow failed or answered something unreadable."""


class DeadlineError(TrimtabError):
    """A request ran out of its time."""


class ClusterError(TrimtabError):
    """Ray or Serve is not in the state that a command needs."""
