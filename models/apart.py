"""A piece of work in a process of its own: what it is at can be read, and it can be stopped at any moment."""

from __future__ import annotations

import multiprocessing
import tempfile
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any


def untold(words: str) -> None:
    """The `tell` of work that nobody follows."""


class Apart:
    """Runs `work(*values, **named, tell=...)` while the context lasts, which kills it at its end.

    `tell(words)` says in there what it is at. Values go through a pipe, so that neither a command line nor the
    environment shows them. The work's temporary files lie in a folder of their own within `folder`, and go with it.
    """

    def __init__(self, folder: Path, work: Callable[..., Any], *values: Any, **named: Any) -> None:
        self.folder, self.work = folder, (work, values, named)
        self.phase = "Starting"
        self.result: Any = None

    def __enter__(self) -> Apart:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.scratch = tempfile.TemporaryDirectory(dir=self.folder, prefix=".", ignore_cleanup_errors=True)
        context = multiprocessing.get_context("spawn")  # torch's threads do not survive a fork
        self.said, theirs = context.Pipe(duplex=False)
        self.process = context.Process(target=_run, args=(theirs, self.scratch.name, *self.work), daemon=True)
        self.process.start()
        theirs.close()  # so that its end is seen
        return self

    def __exit__(self, *_: Any) -> None:
        self.process.kill()
        self.process.join()
        self.said.close()
        self.scratch.cleanup()

    def ended(self, wait_s: float) -> bool:
        """Whether `result` is there, after at most so long. Raises RuntimeError with what the work raised."""
        if not self.said.poll(wait_s):
            return False
        try:
            kind, words = self.said.recv()
        except EOFError:
            raise RuntimeError("It ended before it was done; the app's log says why.") from None
        if kind == "problem":
            raise RuntimeError(words)
        if kind == "phase":
            self.phase = words
            return False
        self.result = words
        return True


def _run(
    said: Connection, scratch: str, work: Callable[..., Any], values: tuple[Any, ...], named: dict[str, Any]
) -> None:
    tempfile.tempdir = scratch
    try:
        result = work(*values, **named, tell=lambda words: said.send(("phase", words)))
    except (ValueError, RuntimeError, OSError) as error:  # what carries a message for the person
        said.send(("problem", str(error)))
    else:
        said.send(("result", result))
