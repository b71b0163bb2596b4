"""A request turned away before anything was paid for it, with all that its answer says."""

from collections.abc import Mapping

from engine.errors import TrimtabError


class RefusedError(TrimtabError):
    """A request that the gateway turned away before anything was paid for it."""

    def __init__(
        self,
        message: str,
        *,
        status: int,
        code: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = dict(headers or {})


def too_many(message: str, code: str, retry_after_s: float) -> RefusedError:
    """A refusal that ends by itself; clients are told when to come back."""
    # Whole seconds are all that the header can say, and a zero would ask for a storm.
    seconds = max(int(-(-retry_after_s // 1)), 1)
    return RefusedError(message, status=429, code=code, headers={"retry-after": str(seconds)})
