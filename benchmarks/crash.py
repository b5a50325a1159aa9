"""What a kill -9 in the midst of writes leaves: every acknowledged flag, nothing half-written, a sound store."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from data.backups import problems
from data.examples import archive_verdicts, flag_example
from data.finding import verdicts_of
from data.steps import history
from data.store import open_store
from data.tasks import TASKS
from settings import PROJECT

TASK = TASKS["nli"]
WRITERS = 4


def example(name: str) -> dict[str, str]:
    return {"premise": f"The {name} is loaded.", "hypothesis": f"The {name} is empty."}


def write_until_killed(path: Path) -> None:
    """Flags from several threads, a third of them archived again; each is told on stdout once it is on disk."""
    told = threading.Lock()

    def write(writer: int) -> None:
        db, rng = open_store(path), random.Random()
        while True:
            name = f"{writer}-{rng.getrandbits(60)}"
            verdict_id = flag_example(db, TASK, example(name), 2, annotator=f"writer {writer}")
            with told:
                print(verdict_id, name, flush=True)
            if rng.random() < 0.3:
                archive_verdicts(db, [verdict_id])

    for writer in range(WRITERS):
        threading.Thread(target=write, args=(writer,)).start()


def crash_rounds(path: Path, rounds: int, seed: int = 0) -> dict[str, Any]:
    """Starts the writers, kills them after some flags, and looks; so many times on one store.

    Counts `acknowledged` and `lost` flags and the `unsound` rounds (`integrity_check`, foreign keys, a flag without
    its event).
    """
    rng = random.Random(seed)
    found = {"rounds": rounds, "acknowledged": 0, "lost": 0, "unsound": 0}
    for _ in range(rounds):
        child = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.crash", str(path)], cwd=PROJECT, stdout=subprocess.PIPE, text=True
        )
        stop_after = rng.randrange(1, 40)
        lines = [child.stdout.readline() for _ in range(stop_after)]
        child.kill()
        rest = child.stdout.read().split("\n")
        child.wait()
        whole = [*lines, *rest[:-1]]  # what follows the last newline was cut off in the writing
        told = {int(line.split()[0]): line.split()[1] for line in whole if line.strip()}
        db = open_store(path)
        there = {row["id"]: row["example"] for row in verdicts_of(db, list(told))}
        found["acknowledged"] += len(told)
        found["lost"] += sum(there.get(verdict_id) != example(name) for verdict_id, name in told.items())
        found["unsound"] += bool(problems(path)) or not all(history(db, verdict_id) for verdict_id in told)
        db.close()
    return found


if __name__ == "__main__":
    write_until_killed(Path(sys.argv[1]))
