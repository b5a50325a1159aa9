"""The shell's commands that take a version away: as a folder, and to the Hugging Face Hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from components.shell import lab, say

Workspace = Annotated[Path | None, typer.Option(help="Where everything is kept [default: workspace]")]
Onnx = Annotated[bool, typer.Option("--onnx", help="An ONNX file too, checked against torch")]
Int8 = Annotated[bool, typer.Option("--int8", help="And one in eight bits, measured in the model card")]


def export_version(
    version: str,
    output: Annotated[Path, typer.Argument(metavar="OUT", help="A folder that is not there yet")],
    onnx: Onnx = False,
    int8: Int8 = False,
    workspace: Workspace = None,
) -> None:
    """Write a version as a plain Hugging Face folder, the adapter merged and the temperature in the head."""
    from models.export import export_model
    from models.registry import folder_of

    with lab(workspace) as (settings, db):
        say(f"{version} written: {export_model(folder_of(settings, db, version), output, onnx=onnx, int8=int8)}")


def push_version(
    version: str,
    repository: Annotated[str, typer.Argument(metavar="ORG/NAME", help="Made where it is not there yet")],
    public: Annotated[bool, typer.Option("--public", help="Let everybody see it, where it is made")] = False,
    onnx: Onnx = False,
    int8: Int8 = False,
    workspace: Workspace = None,
) -> None:
    """Upload a version to the Hugging Face Hub as a plain folder; HF_TOKEN says who you are."""
    from models.hub import push_to_hub
    from models.registry import folder_of

    with lab(workspace) as (settings, db):
        folder = folder_of(settings, db, version)
        say(f"{version} is at {push_to_hub(folder, repository, public=public, onnx=onnx, int8=int8)}")
