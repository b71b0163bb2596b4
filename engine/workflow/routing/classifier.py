"""A small classifier of vectors: multinomial logistic regression."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from engine.errors import ConfigError, UnmeasuredError
from engine.workflow.embedding import FloatArray

STEPS = 500
PENALTY = 3e-4
"""On the squared coefficients, per example: a few dozen examples must not make it certain."""


@dataclass(frozen=True)
class Classifier:
    """Gives each label a probability."""

    labels: tuple[str, ...]
    coefficients: FloatArray
    """One column a label; the last row is the constant."""
    encoder: str
    """Names the encoder whose vectors it learned from."""

    @classmethod
    def train(cls, vectors: FloatArray, labels: Sequence[str], *, encoder: str) -> Self:
        """Learn from labelled unit-norm vectors; the same ones always give the same classifier.

        Raises:
            UnmeasuredError: There is nothing to tell apart.
        """
        names = tuple(sorted(set(labels)))
        if len(names) < 2 or len(labels) != len(vectors):
            raise UnmeasuredError(
                f"classifier: got {len(vectors)} vectors and {len(names)} labels; "
                "give one label a vector, and two different ones at least"
            )
        known = np.array([names.index(label) for label in labels])
        return cls(names, _fitted(_extended(vectors), np.eye(len(names))[known]), encoder)

    def probabilities(self, vectors: FloatArray) -> NDArray[np.float64]:
        """One row a vector, one column a label."""
        return _softmax(_extended(vectors) @ self.coefficients)

    def save(self, path: Path) -> None:
        """Write it down; a reader never sees a torn file."""
        draft = path.with_name(f".{path.name}.draft")
        with draft.open("wb") as file:
            np.savez(
                file,
                labels=np.array(self.labels),
                coefficients=self.coefficients,
                encoder=np.array(self.encoder),
            )
        draft.replace(path)

    @classmethod
    def load(cls, path: Path, *, encoder: str) -> Self:
        """Read one that was trained on this encoder's vectors.

        Raises:
            ConfigError: The file can't be read, or another encoder's vectors were learned from.
        """
        try:
            with np.load(path, allow_pickle=False) as kept:
                labels = tuple(str(label) for label in kept["labels"])
                found = cls(labels, kept["coefficients"], str(kept["encoder"]))
        except (OSError, EOFError, ValueError, KeyError, BadZipFile) as error:
            raise ConfigError(f"{path}: no classifier: {error}; train it again") from error
        if found.encoder != encoder:
            raise ConfigError(
                f"{path}: learned from vectors of {found.encoder!r}, and {encoder!r} is in use; "
                "train it again"
            )
        return found


def _extended(vectors: FloatArray) -> FloatArray:
    return np.hstack([vectors, np.ones((len(vectors), 1), np.float32)])


def _softmax(scores: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    odds = np.exp(scores.astype(np.float64) - scores.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))


def _fitted(rows: FloatArray, wanted: NDArray[np.float64]) -> FloatArray:
    # Accelerated descent by Nesterov's constant schedule. The loss is smooth by half the largest
    # squared singular value over the rows, and convex by the penalty.
    count = len(rows)
    smooth = 0.5 * float(np.linalg.norm(rows, 2)) ** 2 / count + PENALTY
    momentum = (smooth**0.5 - PENALTY**0.5) / (smooth**0.5 + PENALTY**0.5)
    now = np.zeros((rows.shape[1], wanted.shape[1]))
    ahead = now
    for _ in range(STEPS):
        slope = rows.T @ (_softmax(rows @ ahead) - wanted) / count + PENALTY * ahead
        later = ahead - slope / smooth
        ahead = later + momentum * (later - now)
        now = later
    return now.astype(np.float32)
