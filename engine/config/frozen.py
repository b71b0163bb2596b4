"""The base of everything that an operator may write."""

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """A value: never changed, no unknown keys."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )
