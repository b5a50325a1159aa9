"""Who is logged in, in the masthead: the account's name signs what is done, and a way out."""

from __future__ import annotations

from html import escape
from typing import Any

import gradio as gr

from components.context import Lab
from components.errors import known_errors
from components.languages import t
from data.roles import ACTS, ROLES, acting


def build_account(lab: Lab, page: gr.Blocks, annotator: gr.Textbox) -> None:
    account = gr.HTML(visible=False, elem_id="account")
    page.load(
        lab.bind(show_account),
        None,
        [annotator, account],
        queue=False,
        show_progress="hidden",
        api_visibility="private",
    )


@known_errors
def show_account(lab: Lab) -> list[Any]:
    """The account's name in place of a name of one's choice; nothing where there are no accounts."""
    person = acting()
    if person.name is None:
        return [gr.skip(), gr.update(visible=False)]
    html = (
        f'<form method="post" action="logout"><span title="{escape(role_help())}">{escape(t(person.role))}</span>'
        f"<button>{t('Log out')}</button></form>"
    )
    return [gr.update(value=person.name, interactive=False), gr.update(value=html, visible=True)]


def role_help() -> str:
    """What each role may do."""
    return "; ".join(
        f"{t(role)}: {', '.join(t(words) for act, words in ACTS.items() if act in acts)}"
        for role, acts in ROLES.items()
    )
