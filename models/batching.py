"""Concurrent probes computed together: whoever asks gets a future, a few threads answer in batches."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from data.tasks import Example

if TYPE_CHECKING:
    from models.engine import Engine
    from models.predictor import Prediction

WINDOW_S = 0.003
"""How long a batch waits for company, while more than one client asks; a lone one never waits."""
BESIDE_S = 0.05
"""How long a batch waits, while another is computed, until enough wait to be worth one of their own."""
WORTH_ROWS = 8
"""So many are. One row costs as much as three of eight, and takes the time from whoever brings the next."""
MOST_ROWS = 32

log = logging.getLogger("blindspot.batching")


@dataclass
class Waiting:
    """One example in the queue."""

    engine: Engine
    encoded: Any
    answer: Future[Prediction] = field(default_factory=Future)

    @property
    def tokens(self) -> int:
        return self.encoded.length * self.pairs

    @property
    def pairs(self) -> int:
        """How many sequences it puts into a batch."""
        return len(getattr(self.encoded, "input_ids", ())) or self.encoded.labels


def choose_batch(waiting: Sequence[Waiting], most_tokens: int, most_rows: int = MOST_ROWS) -> list[Waiting]:
    """The oldest example with those for the same version whose lengths are nearest to its own, as many as fit."""
    oldest = waiting[0]
    mates = [other for other in waiting if other.engine is oldest.engine]
    mates.sort(key=lambda other: abs(other.encoded.length - oldest.encoded.length))  # stable: the oldest stays first
    batch: list[Waiting] = []
    longest = pairs = 0
    for mate in mates[:most_rows]:
        longest, pairs = max(longest, mate.encoded.length), pairs + mate.pairs
        if batch and longest * pairs > most_tokens:
            break
        batch.append(mate)
    return batch


def compute_here(engine: Engine, encoded: Sequence[Any], thread: int) -> list[Prediction]:
    """What the engine itself answers: one prediction for each, in order."""
    return engine.answer(encoded, thread)


class Batcher:
    """Threads that empty one queue. `observe(rows, seconds)` is told of each batch, `compute` answers it.

    A batch computes on as many cores as no other batch is using, so that a lone probe has them all and many probes
    have one each: single-threaded batches side by side wait for nobody. A small one waits for the one before it.
    """

    def __init__(
        self,
        workers: int,
        cores: int,
        window_s: float = WINDOW_S,
        beside_s: float = BESIDE_S,
        observe: Callable[[int, float], None] = lambda rows, seconds: None,
        compute: Callable[[Engine, Sequence[Any], int], list[Prediction]] = compute_here,
    ) -> None:
        self.cores, self.window_s, self.beside_s = cores, window_s, beside_s
        self.observe, self.compute = observe, compute
        self._ready = threading.Condition()
        self._waiting: list[Waiting] = []
        self._busy = 0
        self._crowded = False
        self._stopped = False
        self._threads = [
            threading.Thread(target=self._work, args=[number], name=f"batch-{number}", daemon=True)
            for number in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def depth(self) -> int:
        """How many examples wait."""
        return len(self._waiting)

    def submit(self, engine: Engine, example: Example) -> Future[Prediction]:
        """The prediction to come. `example` is as `Task.parse_example` gives it; encoded in the calling thread."""
        (encoded,) = engine.predictor.encode([example])
        waiting = Waiting(engine, encoded)
        with self._ready:
            if self._stopped:
                raise RuntimeError("The app is stopping; nothing is answered any more.")
            self._waiting.append(waiting)
            self._ready.notify()
        return waiting.answer

    def stop(self) -> None:
        """Answers what waits, then ends the threads."""
        with self._ready:
            self._stopped = True
            self._ready.notify_all()
        for thread in self._threads:
            thread.join(10)

    def _take(self) -> tuple[list[Waiting], int] | None:
        """The next batch and how many cores it may use; None at the end."""
        with self._ready:
            while True:
                while not self._waiting:
                    if self._stopped:
                        return None
                    self._ready.wait()
                if self._busy:
                    self._ready.wait_for(self._is_worth_it, self.beside_s)
                elif self._crowded and len(self._waiting) < MOST_ROWS and not self._stopped:
                    self._ready.wait_for(lambda: len(self._waiting) >= MOST_ROWS or self._stopped, self.window_s)
                if self._waiting:
                    break
            batch = choose_batch(self._waiting, self._waiting[0].engine.most_tokens)
            taken = set(map(id, batch))
            self._waiting = [other for other in self._waiting if id(other) not in taken]
            self._crowded = len(batch) > 1 or bool(self._waiting)
            self._busy += 1
            return batch, max(1, self.cores // self._busy)

    def _is_worth_it(self) -> bool:
        """Whether to begin a batch now: nothing is computed, or enough wait for one beside it."""
        return self._stopped or not self._busy or len(self._waiting) >= WORTH_ROWS

    def _work(self, number: int) -> None:
        threads = 0
        while (taken := self._take()) is not None:
            batch, cores = taken
            if cores != threads:
                torch.set_num_threads(cores)  # of this thread alone
                threads = cores
            try:
                start = time.perf_counter()
                self._answer(batch, number)
                self.observe(len(batch), time.perf_counter() - start)
            finally:
                with self._ready:
                    self._busy -= 1
                    self._ready.notify_all()

    def _answer(self, batch: list[Waiting], number: int) -> None:
        asked = [w for w in batch if w.answer.set_running_or_notify_cancel()]
        try:
            predictions = self.compute(batch[0].engine, [w.encoded for w in asked], number) if asked else []
        except Exception as error:
            if len(asked) == 1:
                asked[0].answer.set_exception(error)
                return
            log.exception("a batch of %d failed; its rows are tried one by one", len(asked))
            for waiting in asked:
                try:
                    waiting.answer.set_result(self.compute(batch[0].engine, [waiting.encoded], number)[0])
                except Exception as alone:
                    waiting.answer.set_exception(alone)
            return
        for waiting, prediction in zip(asked, predictions, strict=True):
            waiting.answer.set_result(prediction)
