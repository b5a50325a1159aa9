"""The model card that a version folder carries: its `version.json` in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models.folders import CARD, write_json

README = "README.md"


def write_card(folder: Path, card: dict[str, Any]) -> None:
    """Writes `version.json` and `README.md` into a version folder that is not yet in use."""
    write_json(folder / CARD, card)
    (folder / README).write_text(card_text(card), encoding="utf-8")


def card_text(card: dict[str, Any]) -> str:
    """Markdown: what the version is, what it was trained on and how, and what was measured."""
    recipe, training = card.get("recipe") or {}, card.get("training") or {}
    lines = [
        f"# {card['id']}",
        "",
        f"A {card['task']} model over `{card['base']}`"
        + (f", repaired from `{card['parent']}`." if card.get("parent") else "."),
        "",
        f"- Made {card.get('created_at', 'at an unknown time')} with seed {card.get('seed', 0)}.",
        f"- Trained on {training.get('rows', 0)} rows, of them {len(card.get('example_ids', []))} flagged or "
        "confirmed examples of its store.",
        f"- {training.get('seconds', 0):g} s on {training.get('device', 'an unknown device')} in "
        f"{training.get('precision', 'fp32')}.",
        *(
            [f"- At strength {card['strength']:g} between that parent and `{card['strength_of']}`."]
            if "strength" in card
            else []
        ),
        "- Recipe: " + ", ".join(f"{name} {value}" for name, value in recipe.items()) + ".",
        "- Libraries: " + ", ".join(f"{name} {v}" for name, v in card.get("libraries", {}).items()) + ".",
        "",
    ]
    if card.get("metrics"):
        lines += ["| split | rows | right | accuracy |", "| --- | ---: | ---: | ---: |"]
        lines += [
            f"| {name} | {m['rows']} | {m['right']} | {100 * m['accuracy']:.1f} % |"
            for name, m in card["metrics"].items()
        ]
        lines.append("")
    lines += [
        "Load it with Blindspot (`python app.py --model TASK=THIS_FOLDER`); an adapter's files are peft's own.",
        "",
    ]
    return "\n".join(lines)
