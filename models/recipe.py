"""How to train: one frozen, validated set of options, and the presets that a person chooses from."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from data.tasks import Task

METHODS = ("lora", "adalora", "head", "full")
DATA = ("corrections", "replay", "distilled", "phenomenon")


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"Recipe option {name}: expected one of {', '.join(allowed)}; found {value!r}.")


@dataclass(frozen=True)
class Recipe:
    """Options of one training run. Raises ValueError on a value that cannot work."""

    method: str = "lora"
    """`lora` (adapters on every linear layer, and the head), `adalora` (new ones beside the parent's, of a quarter of
    the rank, that lose half of it where it matters least: Zhang et al. 2023), `head` alone, or `full`."""
    rank: int = 64
    """Rank of a fresh adapter; with `lora` a child goes on with its parent's."""
    learning_rate: float = 5e-4
    epochs: float = 6
    batch_size: int = 16
    """Rows a step; a multiple-choice row counts once, whatever its choices."""
    accumulation: int = 1
    warmup_share: float = 0.1
    weight_decay: float = 0.01
    beta1: float = 0.9
    """Adam's memory of gradients; with less of it a run of a few hundred steps learns more."""
    beta2: float = 0.999
    """Adam's memory of their squares."""
    label_smoothing: float = 0.0
    dropout: float = 0.0
    frozen_layers: int = 0
    """So many of the encoder's lowest layers stay as they are."""
    anchored: float = 0.0
    """Weight of general rows beside the taught ones when, before a run's last quarter, what it changed is taken back
    where general rows use it (`models.anchoring`). 0: nothing is."""
    primed: float = 0.0
    """How much of what the project's lessons moved the starter by, learnt beforehand, a run on siblings and contrasts
    begins with (`models.priming`). 0: none."""
    adversarial: float = 0.0
    """Length of a step against the word embeddings that each batch is trained on too (FGM, Miyato et al. 2017);
    doubles the time. 0: none."""
    word_dropout: float = 0.0
    """Share of the words that are hidden behind the mask token, anew each time a row is seen."""
    max_tokens: int = 256
    patience: int = 0
    """Ends a run in its last quarter once the loss on held-out twins has not fallen for so many checks, and takes the
    weights of the best one. 0: never."""
    check_steps: int = 25
    """Steps from one check to the next."""
    seed: int = 0
    precision: str = "auto"
    """`auto` (bfloat16 autocast where the machine has it), `bf16` or `fp32`."""
    data: str = "phenomenon"
    """`corrections` alone, `replay` (with the retention set), `distilled` (retention keeps the parent's
    answers, Kullback-Leibler divergence), or `phenomenon` (and siblings and contrasts of each correction)."""
    variants: int = 800
    """How many siblings and contrasts go in, over all corrections; a row with choices counts once a choice."""
    lessons: int = 0
    """How many rows of the project's lessons go in beside them (`models.lessons`), counted the same way, where no
    rule reads what the corrections are about; where one reads some of them, so many fewer."""
    dressed: float = 0.3
    """Share of the siblings and contrasts that stand in other company (`models.dressing`)."""
    min_steps: int = 0
    """Few rows are gone over more often than `epochs` until so many steps are made."""
    retention_rows: int = 320
    """How many retention rows are mixed in."""
    distillation: float = 1.0
    """Weight of the divergence on a distilled row."""

    def __post_init__(self) -> None:
        _one_of("method", self.method, METHODS)
        _one_of("data", self.data, DATA)
        _one_of("precision", self.precision, ("auto", "bf16", "fp32"))
        for name, low, high in (
            ("rank", 1, 1024),
            ("learning_rate", 1e-8, 1.0),
            ("epochs", 0.01, 1000),
            ("batch_size", 1, 4096),
            ("accumulation", 1, 1024),
            ("warmup_share", 0.0, 1.0),
            ("weight_decay", 0.0, 1.0),
            ("beta1", 0.0, 0.999),
            ("beta2", 0.0, 0.9999),
            ("label_smoothing", 0.0, 0.5),
            ("dropout", 0.0, 0.9),
            ("frozen_layers", 0, 1000),
            ("anchored", 0.0, 1000.0),
            ("primed", 0.0, 1.0),
            ("adversarial", 0.0, 100.0),
            ("word_dropout", 0.0, 0.9),
            ("max_tokens", 8, 8192),
            ("retention_rows", 0, 1_000_000),
            ("variants", 0, 1_000_000),
            ("lessons", 0, 1_000_000),
            ("dressed", 0.0, 1.0),
            ("min_steps", 0, 1_000_000),
            ("patience", 0, 1000),
            ("check_steps", 1, 1_000_000),
            ("distillation", 0.0, 100.0),
        ):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
                raise ValueError(f"Recipe option {name}: expected {low} to {high}; found {value!r}.")

    def steps(self, rows: int) -> int:
        """How many training steps a run over `rows` rows makes at most."""
        return max(1, self.min_steps, math.ceil(self._steps_per_epoch(rows) * self.epochs))

    def row_passes(self, rows: int, steps: int | None = None) -> float:
        """How often a run over `rows` rows computes a row: in so many steps, or in all that it may make."""
        return rows * (steps or self.steps(rows)) / self._steps_per_epoch(rows)

    def _steps_per_epoch(self, rows: int) -> int:
        return max(1, math.ceil(rows / (self.batch_size * self.accumulation)))

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, options: dict[str, Any]) -> Recipe:
        """Raises ValueError that lists unknown options."""
        known = {f.name for f in dataclasses.fields(cls)}
        unknown = sorted(set(options) - known)
        if unknown:
            raise ValueError(f"Expected recipe options among {', '.join(sorted(known))}; found {unknown}.")
        return cls(**options)


def parse_options(pairs: Sequence[str]) -> dict[str, Any]:
    """ "name=value" texts as options; a value is read as JSON where it is some. Raises ValueError."""
    options: dict[str, Any] = {}
    for pair in pairs:
        name, found, value = pair.partition("=")
        if not found:
            raise ValueError(f"Expected a recipe option as NAME=VALUE, such as label_smoothing=0.1; found {pair!r}.")
        try:
            options[name.strip()] = json.loads(value)
        except json.JSONDecodeError:
            options[name.strip()] = value.strip()
    unknown = sorted(set(options) - {f.name for f in dataclasses.fields(Recipe)})
    if unknown:
        raise ValueError(f"There is no recipe option {unknown[0]!r}.")
    return options


KEEPING: dict[str, Any] = {
    "batch_size": 32,
    "beta1": 0.8,
    "beta2": 0.95,
    "retention_rows": 320,
    "distillation": 3,
    "anchored": 1.0,
}
PRESETS: dict[str, Recipe] = {
    "quick": Recipe(epochs=2, min_steps=240, variants=1600, lessons=400, **KEEPING),
    "balanced": Recipe(epochs=3, min_steps=320, patience=3, variants=2000, lessons=500, **KEEPING),
    "thorough": Recipe(epochs=5, min_steps=640, patience=3, variants=4000, lessons=1000, **KEEPING),
}


CHOICES_BATCH = 8
"""Rows with choices in a step of a preset: each is read once a choice."""
PRIMED = ("nli",)
"""Tasks whose lessons are learnt beforehand (`models.priming`)."""
TAUGHT_BY_RULES = ("nli",)
"""Tasks whose rules give enough: in inference lessons cost more than they repaired (docs/repair.md)."""


def preset(name: str, task: Task | None = None) -> Recipe:
    """The recipe of a preset for the task. Raises ValueError that lists the known ones."""
    _one_of("preset", name, tuple(PRESETS))
    found = PRESETS[name]
    if task is None or task.name in TAUGHT_BY_RULES:
        found = dataclasses.replace(found, lessons=0)
    if task is not None and task.head == "multiple_choice":
        found = dataclasses.replace(found, batch_size=CHOICES_BATCH)
    if task is not None and task.name in PRIMED:
        found = dataclasses.replace(found, primed=1.0)
    return found
