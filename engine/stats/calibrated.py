"""A score for every answer that is right on average, although only some are shown to a person.

An evaluator (a judge, a rule) scores all answers with ``g``, right or wrong; a share ``audited`` of
them, drawn by us and by nothing else, gets a person's label ``Y`` as well. Then

    Y~ = g + O (Y - g) / audited,    O = 1 for an audited answer, else 0

has the mean of ``Y`` whatever ``g`` is, because O is drawn with that chance independently of the
answer: augmented inverse-probability weighting (Robins, Rotnitzky & Zhao 1994), also known as
prediction-powered inference (Angelopoulos et al. 2023). A bad evaluator costs traffic, never
validity. Its variance is that of the labels plus ``(1 / audited - 1)`` times the mean of
``(Y - g)^2``.
"""

from typing import NamedTuple

from engine.errors import ConfigError
from engine.stats.tally import Scale


class Ends(NamedTuple):
    """The least and the most that a score can be."""

    least: float
    most: float


def calibrated(judged: float, label: float | None, audited: float) -> float:
    """The score of one answer, on the label's own scale; None where it was not audited.

    Raises:
        ConfigError: A score or the share is out of range.
    """
    scale_of(audited)
    if not 0.0 <= judged <= 1.0 or not (label is None or 0.0 <= label <= 1.0):
        raise ConfigError(f"judged {judged!r}, labelled {label!r}; both lie in [0, 1]")
    return judged if label is None else judged + (label - judged) / audited


def ends(judged: float, audited: float) -> Ends:
    """What an audited answer scores if its missing label is the worst, and the best."""
    return Ends(calibrated(judged, 0.0, audited), calibrated(judged, 1.0, audited))


def scale_of(audited: float) -> Scale:
    """Where calibrated scores lie: from ``1 - 1/audited`` to ``1/audited``.

    Raises:
        ConfigError: The share is not in (0, 1).
    """
    if not 0.0 < audited < 1.0:
        raise ConfigError(f"the audited share is {audited!r}; it lies between 0 and 1")
    return Scale(low=1.0 - 1.0 / audited, high=1.0 / audited)
