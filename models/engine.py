"""A version ready to answer many at once: a replica for each thread, in the fastest number format that is close."""

from __future__ import annotations

import logging
import statistics
import time
from collections.abc import Sequence
from typing import Any

import torch

from data.seed import seed_rows
from models.device import has_bf16
from models.predictor import Prediction, Predictor

TOLERANCE = 0.02
"""By how much a probability may differ from float32's."""
CHECKED_ROWS = 48

log = logging.getLogger("blindspot.serving")


class Engine:
    """`predictor` with replicas of it that share its weights, one a thread; they answer, it explains.

    `precision`: `auto` computes in bfloat16 where the hardware has it, the answers to the task's own rows stay within
    TOLERANCE and it is faster; `fp32` never does.
    """

    def __init__(self, predictor: Predictor, threads: int, precision: str = "auto") -> None:
        self.predictor = predictor
        self.version_id = predictor.version_id
        self.precision = "fp32"
        answers = predictor if predictor.device.type == "cuda" else predictor.replica()
        full = next(predictor.model.parameters()).dtype == torch.float32
        if precision == "auto" and full and has_bf16(predictor.device):
            halved = predictor.replica(torch.bfloat16)
            if is_close_and_faster(answers, halved):
                answers, self.precision = halved, "bf16"
        self.replicas: list[Predictor] = [answers, *(answers.replica() for _ in range(threads - 1))]
        self.size_bytes = _size_bytes(predictor) + (_size_bytes(answers) if self.precision == "bf16" else 0)
        first = seed_rows(predictor.task, "gallery")[0]["example"]
        self.answer(predictor.encode([first]))  # the first answer is slow, and a misfit shows before it is live

    def answer(self, encoded: Sequence[Any], thread: int = 0) -> list[Prediction]:
        """One prediction for each, in order, computed as one batch."""
        return self.replicas[thread].answers(encoded, batch_size=max(1, len(encoded)))


def is_close_and_faster(exact: Predictor, other: Predictor) -> bool:
    """Whether `other` answers the task's validation rows as `exact` does, within TOLERANCE, and in less time."""
    rows = [row["example"] for row in seed_rows(exact.task, "validation")][:CHECKED_ROWS]
    encoded = exact.encode(rows)
    pairs = zip(exact.answers(encoded), other.answers(encoded), strict=True)
    worst = max(abs(p - q) for a, b in pairs for p, q in zip(a.probabilities, b.probabilities, strict=True))
    times = []
    for predictor in (exact, other):
        seconds = []
        for _ in range(5):
            start = time.perf_counter()
            predictor.answers(encoded[:8])
            seconds.append(time.perf_counter() - start)
        times.append(statistics.median(seconds))
    log.info(
        "%s in bfloat16: probabilities differ by at most %.4f, %.1f instead of %.1f ms",
        exact.version_id, worst, 1000 * times[1], 1000 * times[0],
    )  # fmt: skip
    return worst <= TOLERANCE and times[1] < times[0]


def _size_bytes(predictor: Predictor) -> int:
    model = predictor.model
    return sum(t.numel() * t.element_size() for t in (*model.parameters(), *model.buffers()))
