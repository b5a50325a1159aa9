"""`python cli.py backup` and `restore`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from components.shell import lab, say
from data.backups import problems, restore
from data.store import StoreError, backup, now
from settings import read_settings

Workspace = Annotated[Path | None, typer.Option(help="Where everything is kept [default: workspace]")]


def backup_store(
    output: Annotated[Path | None, typer.Argument(metavar="[OUT]", help="[default: in workspace/backups]")] = None,
    workspace: Workspace = None,
) -> None:
    """Copy the store while it is in use, and check the copy."""
    with lab(workspace, with_models=False) as (settings, db):
        target = output or settings.backups / f"blindspot-{now()[:16].replace(':', '')}.db"
        backup(db, target)
        if found := problems(target):
            raise StoreError(f"{target} is damaged: {'; '.join(found[:5])}.")
        say(f"Copied and sound: {target}")


def restore_store(file: Path, workspace: Workspace = None) -> None:
    """Put a copy in the store's place once it is found sound; the store as it was is kept."""
    try:
        settings = read_settings(workspace=workspace)
        kept = restore(file, settings.store)
    except (ValueError, OSError, StoreError) as error:
        say(f"error: {error}")
        raise typer.Exit(1) from None
    say(f"Restored {file}." + (f" What was there is in {kept}." if kept else ""))
