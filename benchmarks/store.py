"""Is the store fast and safe enough for a team? `python -m benchmarks.store [--examples 1000000]`.

Fills a store through the import, then measures flags (one writer and sixteen at once, each commit on disk), filters
with words and a count, opening the Review tab, the next second look, the look at what is nearly the same while a
person types, and a hundred kills in the midst of writes. A figure is what the functions behind the page take, without
the network. Beside it stands `gr.CSVLogger`, with which Gradio keeps flags, at 1,000, 10,000 and 100,000 rows.
`--workspace` goes on with a store that is filled.
"""

from __future__ import annotations

import json
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.crash import crash_rounds
from benchmarks.machine import describe_machine
from data.alike import alike_examples
from data.examples import Answer, flag_example
from data.finding import find_page, verdicts_of
from data.queries import Filters, count_verdicts, facets
from data.second_look import give_second_look, look_states, next_look
from data.store import open_store
from data.tasks import TASKS
from data.transfer import Parsed, ParsedRow, import_rows
from data.versions import add_version
from settings import Settings

TASK = TASKS["nli"]
ANNOTATORS = [f"annotator {number:02d}" for number in range(16)]
VERSIONS = [f"nli-v{number}" for number in range(10)]
COMMON = ("dog", "woman", "doctor", "house", "river")
CHUNK = 50_000
WORDS = [
    a + b for a in ("ba", "ce", "di", "fo", "gu", "ha", "je", "ki", "lo", "mu") for b in ("bar", "cot", "den", "fil")
]
WORDS += [a + b for a in WORDS for b in ("ton", "ver", "zip", "mal", "sor")]


def rows(count: int, seed: int = 0) -> Iterator[ParsedRow]:
    """Examples as a team leaves them: few annotators and categories do most, a fifth hold one of few common words."""
    rng = random.Random(seed)
    for number in range(count):
        words = rng.choices(WORDS, k=9)
        if rng.random() < 0.2:
            words[2] = rng.choice(COMMON)
        example = {"premise": f"{' '.join(words)} {number}.", "hypothesis": " ".join(rng.choices(WORDS, k=5)) + "."}
        category = TASK.categories[min(int(rng.expovariate(0.25)), len(TASK.categories) - 1)]
        annotator = ANNOTATORS[min(int(rng.expovariate(0.25)), len(ANNOTATORS) - 1)]
        kind = "correction" if rng.random() < 0.7 else "confirmation"
        yield ParsedRow(number, example, rng.randrange(3), category, "", annotator, kind, {})


def fill(settings: Settings, count: int) -> None:
    """Imports the rows; every hundredth flag gets a second look, every third of those another label."""
    db = open_store(settings.store)
    for version in VERSIONS:
        add_version(db, {"id": version, "task": "nli", "base": "b"}, f"versions/nli/{version}")
    rng, made, chunk = random.Random(1), 0, []
    started = time.perf_counter()
    for row in rows(count):
        chunk.append(row)
        if len(chunk) == CHUNK or made + len(chunk) == count:
            answers = [
                Answer(
                    rng.randrange(3),
                    [round(p, 4) for p in rng.choices((0.4, 0.55, 0.7, 0.9), k=3)],
                    rng.choice(VERSIONS),
                )
                for _ in chunk
            ]
            import_rows(db, TASK, Parsed(chunk), annotator="bench", answers=answers)
            made += len(chunk)
            chunk = []
    seconds = time.perf_counter() - started
    print(f"import: {made:,} rows in {seconds:.0f} s, {made / seconds:,.0f} rows/s")
    for name in ANNOTATORS:
        for number in range(count // 100 // len(ANNOTATORS)):
            one = next_look(db, TASK, name)
            if one is not None:
                give_second_look(db, TASK, one["example_id"], number % 3, annotator=name)
    db.close()


def timed(act: Callable[[], Any], count: int) -> list[float]:
    """Milliseconds of each call."""
    found = []
    for _ in range(count):
        started = time.perf_counter()
        act()
        found.append(1000 * (time.perf_counter() - started))
    return found


def tell(what: str, milliseconds: list[float], must: str) -> None:
    median, high, most = np.percentile(milliseconds, [50, 95, 100])
    print(f"| {what} | {median:.1f} | {high:.1f} | {most:.1f} | {len(milliseconds)} | {must} |", flush=True)


def flags(settings: Settings, writers: int, each: int) -> list[float]:
    """What each flag of so many writers at once took; raises where one is lost or stored twice."""

    def write(writer: int) -> list[tuple[int, float]]:
        db, found = open_store(settings.store), []
        for number in range(each):
            example = {
                "premise": f"Flag {writers} {writer} {number} {time.time_ns()}.",
                "hypothesis": "It is stored.",
            }
            started = time.perf_counter()
            verdict_id = flag_example(db, TASK, example, 1, annotator=ANNOTATORS[writer], category="negation")
            found.append((verdict_id, 1000 * (time.perf_counter() - started)))
        db.close()
        return found

    db = open_store(settings.store)
    before = count_verdicts(db, Filters())
    with ThreadPoolExecutor(writers) as pool:
        done = [one for found in pool.map(write, range(writers)) for one in found]
    ids = [verdict_id for verdict_id, _ in done]
    assert len(set(ids)) == len(list(verdicts_of(db, ids))) == writers * each, "a flag is lost"
    assert count_verdicts(db, Filters()) == before + writers * each, "a flag is stored twice"
    return [milliseconds for _, milliseconds in done]


def searches(count: int) -> list[Filters]:
    """Filters that combine, most with words, common and rare, some that nothing matches."""
    rng = random.Random(2)
    found = []
    for _ in range(count):
        chosen: dict[str, Any] = {
            "category": rng.choice(TASK.categories),
            "label": rng.choice(TASK.labels),
            "annotator": rng.choice(ANNOTATORS),
            "kind": rng.choice(("correction", "confirmation")),
            "version": rng.choice(VERSIONS),
            "least": 0.5,
        }
        kept = rng.sample(sorted(chosen), rng.randrange(1, 4))
        words = rng.choice((rng.choice(COMMON), rng.choice(WORDS), f"{rng.choice(COMMON)} {rng.choice(WORDS)}"))
        found.append(Filters(task="nli", search=words, **{name: chosen[name] for name in kept}))
    return found


def open_review(settings: Settings) -> tuple[list[float], int]:
    """What the Review tab's handlers take, and how many bytes of rows they send."""
    from components import review
    from components.context import Lab
    from components.filter_form import NOTHING_CHOSEN, refresh_menus

    lab = Lab(settings)

    def act() -> Any:
        refresh_menus(lab, "nli", *NOTHING_CHOSEN)
        return review.first_page(lab, "nli", *NOTHING_CHOSEN)

    sent = len(json.dumps(act()[0]["value"]))
    return timed(act, 20), sent


def look_alike(db: Any, count: int) -> tuple[list[float], int]:
    """What looking for nearly the same takes, for stored rows with a word changed, and how many of these it found.

    The candidates are those of the full-text index; the encoder's part follows on eight texts at most.
    """
    rng = random.Random(4)
    asked = []
    for example_id in rng.sample(range(1, db["examples"].count), count):
        example = json.loads(db["examples"].get(example_id)["fields"])
        words = example["premise"].split()
        words[4 % len(words)] = rng.choice(WORDS)
        asked.append((example_id, {**example, "premise": " ".join(words)}))
    turn, hits = iter(asked), []

    def act() -> None:
        example_id, example = next(turn)
        hits.append(example_id in [found for found, _ in alike_examples(db, TASK, example)])

    return timed(act, count), sum(hits)


def csv_logger(folder: Path, size: int, count: int) -> list[float]:
    """What a flag takes with Gradio's own logger where so many rows are there."""
    import gradio as gr

    logger = gr.CSVLogger(verbose=False)
    with gr.Blocks():
        boxes = [gr.Textbox(label=label) for label in ("premise", "hypothesis", "label")]
    logger.setup(boxes, str(folder))
    logger.flag(["A premise.", "A hypothesis.", "neutral"], username="ann")
    path = next(folder.rglob("*.csv"))
    line = path.read_text(encoding="utf-8").splitlines()[-1]
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{line}\n" * (size - 1))
    return timed(lambda: logger.flag(["A premise.", "A hypothesis.", "neutral"], username="ann"), count)


def main(
    examples: Annotated[int, typer.Option(help="how many the store holds")] = 1_000_000,
    kills: Annotated[int, typer.Option(help="rounds of kill -9")] = 100,
    workspace: Annotated[Path | None, typer.Option(help="goes on with this one, filled before")] = None,
) -> None:
    print(describe_machine())
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(workspace=workspace or Path(folder) / "workspace")
        if not settings.store.exists():
            fill(settings, examples)
        db = open_store(settings.store)
        print(f"\nstates {look_states(db, TASK)}, {settings.store.stat().st_size / 2**20:,.0f} MiB\n")
        print("| what, in ms | median | p95 | most | of | must |\n| --- | --- | --- | --- | --- | --- |")
        tell("flag, one writer", flags(settings, 1, 400), "p95 < 10")
        tell("flag, 16 writers at once", flags(settings, 16, 50), "p95 < 10")
        asked = iter(searches(200))
        tell("filters, words and count, first page", timed(lambda: find_page(db, next(asked)), 200), "p95 < 100")
        opened, sent = open_review(settings)
        tell(f"open the Review tab ({sent / 1024:.0f} KiB of rows)", opened, "< 1,000")
        tell("the filters' menus", timed(lambda: facets(db, "nli"), 20), "")
        names = iter(ANNOTATORS * 20)
        tell("next row for a second look", timed(lambda: next_look(db, TASK, next(names)), 200), "p95 < 20")
        looked, hits = look_alike(db, 200)
        tell(f"nearly the same ({hits} of {len(looked)} found)", looked, "")
        for size in (1_000, 10_000, 100_000):
            path = Path(folder) / f"csv-{size}"
            tell(f"gr.CSVLogger at {size:,} rows", csv_logger(path, size, 30), "beside")
            small = Settings(workspace=Path(folder) / f"store-{size}")
            import_rows(open_store(small.store), TASK, Parsed(list(rows(size, 3))), annotator="bench")
            tell(f"flag, one writer, at {size:,} rows", flags(small, 1, 100), "beside")
        found = crash_rounds(Path(folder) / "crash" / "blindspot.db", kills)
        print(
            f"\nkill -9, {found['rounds']} times: {found['acknowledged']:,} flags acknowledged, "
            f"{found['lost']} lost, {found['unsound']} rounds left an unsound store"
        )


if __name__ == "__main__":
    typer.run(main)
