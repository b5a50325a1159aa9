"""How long the app takes from `python app.py` to its page and its first answered probe, in a workspace of its own.

`python -m benchmarks.start` prints seconds, and the processor's seconds, which other programs on the machine disturb
less; with `--other FOLDER` another checkout is started in turn with this one. `--imports` prints what the imports of
app and models take, by library.
"""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Annotated

import psutil
import typer

from benchmarks.machine import describe_machine
from benchmarks.probe import questions, running, spread, until_answered
from settings import PROJECT

IMPORTED = "import app, models.serving, transformers.models.bert.modeling_bert"
SHOWN = 12


def main(
    rounds: Annotated[int, typer.Option(help="starts of each checkout; the median is shown")] = 5,
    other: Annotated[Path | None, typer.Option(help="another checkout, started in turn")] = None,
    imports: Annotated[bool, typer.Option("--imports", help="what the imports take")] = False,
    port: Annotated[int, typer.Option()] = 7995,
) -> None:
    print(describe_machine())
    if imports:
        import_profile()
        return
    example = questions()[0]
    folders = [PROJECT, *([other.resolve()] if other else [])]
    taken: dict[Path, list[tuple[float, float]]] = {folder: [] for folder in folders}
    for _ in range(rounds):
        for folder in folders:
            taken[folder].append(start_once(folder, example, port))
    print(f"{'checkout':<40} {'first answer, s':>20} {'processor, s':>20}")
    for folder, pairs in taken.items():
        walls, processors = zip(*pairs, strict=True)
        print(f"{folder.name:<40} {spread(list(walls)):>20} {spread(list(processors)):>20}")


def start_once(folder: Path, example: dict[str, str], port: int) -> tuple[float, float]:
    """Seconds until the first probe is answered, by the clock and of the processor."""
    with tempfile.TemporaryDirectory() as workspace:
        command = ["app.py", "--port", str(port), "--workspace", workspace]
        with running(command, port, folder) as (app, started):
            seconds = until_answered(f"http://127.0.0.1:{port}/", example, started)
            times = psutil.Process(app.pid).cpu_times()
            return seconds, times.user + times.system


def import_profile() -> None:
    """The libraries whose modules take most of the imports' time; the median of five runs."""
    runs: list[Counter[str]] = []
    command = [sys.executable, "-X", "importtime", "-c", IMPORTED]
    for _ in range(5):
        said = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stderr
        found: Counter[str] = Counter()
        for own, name in re.findall(r"^import time: +(\d+) \| +\d+ \| +(\S+)", said, re.MULTILINE):
            found[name.partition(".")[0]] += int(own)
        runs.append(found)
    names = {name for found in runs for name in found}
    shares = {name: statistics.median(found[name] for found in runs) / 1e6 for name in names}
    total = sum(shares.values())
    print(f"{total:.2f} s of imports")
    for name, seconds in sorted(shares.items(), key=lambda item: -item[1])[:SHOWN]:
        print(f"{name:<20} {seconds:5.2f} s {100 * seconds / total:4.0f} %")


if __name__ == "__main__":
    typer.run(main)
