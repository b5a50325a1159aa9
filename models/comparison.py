"""Several versions on the same rows: what each says, how often they agree, and where they differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from data.suites import passes
from models.predictor import Predictor


@dataclass(frozen=True)
class Comparison:
    versions: list[str]
    rows: list[dict[str, Any]]
    answers: list[list[int]]
    """For each version its answer to each row's example, an index of a label."""
    hits: list[list[bool]]
    """For each version whether each row is as it should be: the label, or what a suite expects of two examples."""

    def agreement(self) -> list[list[float]]:
        """Share of rows to which two versions give the same answer, shape (version, version); 1 on the diagonal."""
        return [
            [sum(a == b for a, b in zip(one, other, strict=True)) / len(self.rows) for other in self.answers]
            for one in self.answers
        ]

    def differing(self) -> dict[tuple[bool, ...], list[int]]:
        """The rows on which the versions do not all answer alike or are not all right alike, as places, by which of
        the versions are right there; the fewest right first."""
        found: dict[tuple[bool, ...], list[int]] = {}
        for place in range(len(self.rows)):
            right = tuple(hits[place] for hits in self.hits)
            if len(set(right)) > 1 or len({answers[place] for answers in self.answers}) > 1:
                found.setdefault(right, []).append(place)
        return dict(sorted(found.items(), key=lambda item: (sum(item[0]), item[0])))


def compare_versions(predictors: Sequence[Predictor], rows: Sequence[dict[str, Any]]) -> Comparison:
    """What the versions make of the rows, which have an `example` and a `label`, or are rows of a suite.

    Raises ValueError where there is no row or no version is there twice.
    """
    versions = [predictor.version_id for predictor in predictors]
    if len(set(versions)) != len(versions) or len(versions) < 2:
        raise ValueError(f"Expected two or more different versions; found {', '.join(versions) or 'none'}.")
    if not rows:
        raise ValueError("Expected rows to compare the versions on; found none.")
    paired = [row for row in rows if "second" in row]
    answers, hits = [], []
    for predictor in predictors:
        said = predictor.predict([r["example"] for r in rows] + [r["second"] for r in paired], batch_size=64)
        seconds = iter(said[len(rows) :])
        firsts = said[: len(rows)]
        answers.append([prediction.label for prediction in firsts])
        hits.append(
            [
                passes({"template": "", **row}, first.probabilities, next(seconds).probabilities)
                if "second" in row
                else first.label == row["label"]
                for row, first in zip(rows, firsts, strict=True)
            ]
        )
    return Comparison(versions, list(rows), answers, hits)
