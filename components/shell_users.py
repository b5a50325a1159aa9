"""`python cli.py users`: who may log in, and what they may do."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from components.shell import lab, say, show
from data import accounts
from data.roles import ROLES

users = typer.Typer(
    help="Accounts: once there is one, the page and its endpoints ask who you are.", no_args_is_help=True
)

Workspace = Annotated[Path | None, typer.Option(help="Where everything is kept [default: workspace]")]
Role = Annotated[str, typer.Option("--role", help=", ".join(ROLES))]
FromStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input")]


@users.command()
def add(name: str, role: Role = "annotator", password_stdin: FromStdin = False, workspace: Workspace = None) -> None:
    """Make an account."""
    with lab(workspace, with_models=False) as (_, db):
        accounts.add_account(db, name, role, _password(password_stdin))
        say(f"{name} may log in as {role}.")


@users.command("list")
def list_all(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON")] = False, workspace: Workspace = None
) -> None:
    """List the accounts."""
    with lab(workspace, with_models=False) as (_, db):
        rows = accounts.list_accounts(db)
        lines = [f"{row['name']:<24} {row['role']:<10} since {row['created_at'][:10]}" for row in rows]
        show(rows, as_json, "\n".join(lines) or "No accounts: the page asks nobody who they are.")


@users.command("role")
def change_role(name: str, role: str, workspace: Workspace = None) -> None:
    """Change what somebody may do."""
    with lab(workspace, with_models=False) as (_, db):
        accounts.set_role(db, name, role)
        say(f"{name} is {role}.")


@users.command("password")
def change_password(name: str, password_stdin: FromStdin = False, workspace: Workspace = None) -> None:
    """Set a new password; it ends the account's sessions."""
    with lab(workspace, with_models=False) as (_, db):
        accounts.set_password(db, name, _password(password_stdin))
        say(f"{name} logs in with the new password.")


@users.command()
def remove(name: str, workspace: Workspace = None) -> None:
    """End an account; what it did keeps its name."""
    with lab(workspace, with_models=False) as (_, db):
        accounts.remove_account(db, name)
        say(f"{name} may no longer log in.")


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\n")
    return typer.prompt("Password", hide_input=True, confirmation_prompt=True)
