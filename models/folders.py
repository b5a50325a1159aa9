"""A version's folder: its name for each file, its card, and how it comes into being whole or not at all.

Imports no torch, so that what only lists or moves versions starts at once.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from data.tasks import get_task

ADAPTER = "adapter_model.safetensors"
ADAPTER_CONFIG = "adapter_config.json"
WEIGHTS = "model.safetensors"
CARD = "version.json"
INHERITED = ("label_map", "temperature", "kind", "template", "load", "origin")
STARTERS = Path(__file__).parent / "starter"
"""A folder for each task that comes with a version."""


class CheckpointError(RuntimeError):
    """A version's files cannot be used; the message says which and what to do."""


def read_card(folder: Path) -> dict[str, Any]:
    """`version.json` of a version folder. Raises CheckpointError."""
    try:
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
        get_task(card["task"])
        card["base"]
    except FileNotFoundError:
        raise CheckpointError(f"Expected a version folder with {CARD}; found none in {folder}.") from None
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError, OSError) as error:
        raise CheckpointError(
            f"{folder / CARD} is damaged ({error}). Restore the folder from a backup, or roll back."
        ) from None
    return card


def inherited(card: dict[str, Any]) -> dict[str, Any]:
    """What a child has of its parent's card: how the model is loaded, asked and read."""
    return {name: card[name] for name in INHERITED if card.get(name) is not None}


def save_version(folder: Path, card: dict[str, Any], write_files: Callable[[Path], Any]) -> Path:
    """A complete version folder, or none: written under a temporary name and renamed at the end.

    `write_files(folder)` writes the weights. Raises FileExistsError if the version is there already.
    """
    if folder.exists():
        raise FileExistsError(f"The version folder {folder} exists; versions are never overwritten.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        partial.mkdir()
        write_files(partial)
        write_json(partial / CARD, card)
        try:
            os.rename(partial, folder)
        except OSError as error:
            if folder.exists():
                raise FileExistsError(f"The version folder {folder} was made by another process.") from error
            raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_rows(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """JSON Lines."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
