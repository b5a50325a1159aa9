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
from models.packing import pack
from models.predictor import Prediction, Predictor
from models.sharing import share_weights

TOLERANCE = 0.02
"""By how much a probability may differ from float32's."""
CHECKED_ROWS = 48
CHECKED_AT_ONCE = 8
GPU_TOKENS = 8192
FP32_TOKENS = 256
"""Padded tokens of a batch. In float32 a CPU saves nothing by more at once, and short batches waste less padding."""
BF16_TOKENS = 512
"""On a CPU, where a small batch is bound by reading the weights: a row of 24 tokens takes 7 ms alone, 2.1 ms of 8 and
1.8 ms of 16. Each new number of tokens costs 10 ms and 1.5 MiB of kernels."""

log = logging.getLogger("blindspot.serving")


class Engine:
    """`predictor` with replicas of it that share its weights, one a thread; they answer, it explains.

    It answers in float32 at once, and from `settle` on in what suits it: with `precision` `auto` in bfloat16 where
    the hardware has it, the answers to the task's own rows stay within TOLERANCE and it is faster; `fp32` never does.
    """

    def __init__(self, predictor: Predictor, threads: int, precision: str = "auto") -> None:
        share_weights(predictor.model)
        self.predictor = predictor
        self.version_id = predictor.version_id
        self.precision = "fp32"
        full = next(predictor.model.parameters()).dtype == torch.float32
        self.is_settled = not (precision == "auto" and full and has_bf16(predictor.device))
        self.threads = threads
        self.size_bytes = _size_bytes(predictor)
        self._take(predictor if predictor.device.type == "cuda" else predictor.replica())

    def settle(self) -> None:
        """Tries bfloat16, which takes seconds, and goes over to it if it suits; probes are answered meanwhile."""
        self.is_settled = True
        halved = self.predictor.replica(torch.bfloat16)
        if halved.device.type == "cpu":
            pack(halved.model)
        share_weights(halved.model)
        if is_close_and_faster(self.predictor.replica(), halved):
            self._take(halved)
            self.precision = "bf16"
            self.size_bytes += _size_bytes(halved)

    def _take(self, answers: Predictor) -> None:
        """Lets `answers` and replicas of it answer from now on."""
        first = answers.encode([seed_rows(answers.task, "gallery")[0]["example"]])
        answers.answers(first)  # the first answer is slow, and a misfit shows before it is live
        self.replicas: list[Predictor] = [answers, *(answers.replica() for _ in range(self.threads - 1))]

    @property
    def most_tokens(self) -> int:
        """Padded tokens of a batch."""
        if self.predictor.device.type == "cuda":
            return GPU_TOKENS
        return BF16_TOKENS if self.precision == "bf16" else FP32_TOKENS

    def answer(self, encoded: Sequence[Any], thread: int = 0) -> list[Prediction]:
        """One prediction for each, in order, computed as one batch."""
        return self.replicas[thread].answers(encoded, batch_size=max(1, len(encoded)))


def is_close_and_faster(exact: Predictor, other: Predictor) -> bool:
    """Whether `other` answers the task's validation rows as `exact` does, within TOLERANCE, and in less time.

    Both compute small batches in turn. On a CPU it is one core's time that counts, so that whatever else the machine
    does meanwhile tips no scale.
    """
    rows = [row["example"] for row in seed_rows(exact.task, "validation")][:CHECKED_ROWS]
    encoded = exact.encode(rows)
    on_cpu, threads = exact.device.type == "cpu", torch.get_num_threads()
    clock = time.thread_time if on_cpu else time.perf_counter
    taken: list[list[float]] = [[], []]
    worst = 0.0
    try:
        torch.set_num_threads(1 if on_cpu else threads)
        for start in range(0, len(encoded), CHECKED_AT_ONCE):
            batch, said = encoded[start : start + CHECKED_AT_ONCE], []
            for predictor, seconds in zip((exact, other), taken, strict=True):
                begun = clock()
                said.append([one.probabilities for one in predictor.answers(batch)])
                seconds.append(clock() - begun)
            pairs = zip(*said, strict=True)
            worst = max(worst, *(abs(p - q) for a, b in pairs for p, q in zip(a, b, strict=True)))
    finally:
        torch.set_num_threads(threads)
    before, now = (1000 * statistics.median(seconds) for seconds in taken)
    log.info(
        "%s in bfloat16: probabilities differ by at most %.4f, %.1f instead of %.1f ms",
        exact.version_id, worst, now, before,
    )  # fmt: skip
    return worst <= TOLERANCE and now < before


def _size_bytes(predictor: Predictor) -> int:
    model = predictor.model
    return sum(t.numel() * t.element_size() for t in (*model.parameters(), *model.buffers()))
