"""Texts longer than a model's window: read in overlapping windows whose answers are pooled, instead of cut."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from data.suites.needle import DEPTHS, LENGTHS, needle_rows
from data.tasks import Example
from models.intervals import share_interval
from models.predictor import Prediction, Predictor

TRUNCATE, MEAN, SUREST = "truncate", "mean", "surest"
POOLINGS = {
    TRUNCATE: "cut at the end of the window",
    MEAN: "windows, mean of their probabilities",
    SUREST: "windows, the surest one answers",
}
LEAST = 16
"""Fewer tokens of a text are no window."""


@dataclass(frozen=True)
class LongAnswer:
    prediction: Prediction
    """Pooled; `tokens_dropped` is 0 where windows were read."""
    windows: list[tuple[str, Prediction]]
    """The part of the text that each window read, and what it said; empty where the text fits or was cut."""


def check_pooling(pooling: str) -> str:
    if pooling not in POOLINGS:
        raise ValueError(f"Expected as reading of long texts {', '.join(POOLINGS)}; found {pooling!r}.")
    return pooling


def cut_windows(predictor: Predictor, example: Example) -> list[tuple[int, Example]]:
    """The example once for each window of its longest text, which overlap by half; itself alone where it fits.

    Each stands with the character that its window begins at.

    Raises ValueError where the other texts leave no room for a window.
    """
    (encoded,) = predictor.encode([example])
    if not encoded.tokens_dropped:
        return [(0, example)]
    names = [field.name for field in predictor.task.fields if field.kind == "text"]
    name = max(names, key=lambda field: len(example[field]))
    spans = predictor.head.tokenizer(
        example[name], add_special_tokens=False, return_offsets_mapping=True, verbose=False
    )["offset_mapping"]
    size = len(spans) - encoded.tokens_dropped
    if size < LEAST:
        raise ValueError(
            f"The texts beside the longest one fill the model's {predictor.head.max_tokens} tokens; no window is "
            "left. Shorten them."
        )
    starts = range(0, len(spans) - size // 2, max(1, size // 2))
    windows = []
    for start in starts:
        part = example[name][spans[start][0] : spans[min(start + size, len(spans)) - 1][1]]
        begin = spans[start][0] + len(part) - len(part.lstrip())
        windows.append((begin, {**example, name: part.strip()}))
    return windows


def predict_long(predictor: Predictor, examples: Sequence[Example], pooling: str = MEAN) -> list[LongAnswer]:
    """Each example's answer, pooled over its windows as `POOLINGS` says. Raises ValueError on an unknown pooling."""
    if check_pooling(pooling) == TRUNCATE:
        return [LongAnswer(prediction, []) for prediction in predictor.predict(examples)]
    groups = [cut_windows(predictor, example) for example in examples]
    said = iter(predictor.predict([window for group in groups for _, window in group]))
    answers = []
    for example, group in zip(examples, groups, strict=True):
        predictions = [next(said) for _ in group]
        if len(group) == 1:
            answers.append(LongAnswer(predictions[0], []))
            continue
        name = next(field for field in example if group[0][1][field] != example[field])
        parts = [(begin, prediction) for (begin, _), prediction in zip(group, predictions, strict=True)]
        shown = [(window[name], prediction) for (_, window), prediction in zip(group, predictions, strict=True)]
        answers.append(LongAnswer(predictor.head.pool(parts, pooling == SUREST), shown))
    return answers


def needle_cells(
    predictor: Predictor,
    pooling: str,
    rows: int = 12,
    lengths: Sequence[int] = LENGTHS,
    depths: Sequence[float] = DEPTHS,
    seed: int = 0,
) -> Iterator[dict[str, Any]]:
    """How often the deciding sentence is found, for each length (words) and depth (0 to 1) of a text, as it comes:
    `words`, `depth`, `rows`, `right` and the 95 % interval of the share right (`low`, `high`)."""
    for words in lengths:
        for depth in depths:
            drawn = needle_rows(predictor.task, depth, words, rows, seed)
            said = predict_long(predictor, [row["example"] for row in drawn], pooling)
            right = sum(a.prediction.label == row["label"] for a, row in zip(said, drawn, strict=True))
            low, high = share_interval(right, len(drawn))
            yield {"words": words, "depth": depth, "rows": len(drawn), "right": right, "low": low, "high": high}
