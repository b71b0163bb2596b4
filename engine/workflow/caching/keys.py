"""Names what was asked, the same for the same question however it is written down."""

import hashlib
import json
from typing import Any


def canonical(*parts: Any) -> str:  # noqa: ANN401 - JSON has no narrower type
    """A hash of JSON values; the order of an object's keys changes nothing, all else does.

    Raises:
        ValueError: A number is infinite or no number.
        TypeError: A part is no JSON value.
    """
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
