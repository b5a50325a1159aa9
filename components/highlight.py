"""Answers and word scores as small HTML; every text that a person or a file gave is escaped here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from components.languages import t
from components.theme import ACCENT, LABEL_COLORS, OPPOSE, SPAN_COLORS, SUPPORT
from data.tasks import Example, Task
from data.tasks.spans import SpanTask

MAX_SHOWN_CHARS = 600

VERDICTS = {
    "entailment": "The hypothesis follows from the premise.",
    "neutral": "It may or may not be so.",
    "contradiction": "The hypothesis contradicts the premise.",
}


def empty(title: str, advice: str) -> str:
    """What an empty place says: what it is for and what to do next."""
    return f'<div class="empty"><b>{escape(title)}</b>{escape(advice)}</div>'


def problem(message: str) -> str:
    return f'<div class="problem" role="alert">{escape(message)}</div>'


def answer(
    task: Task,
    example: Example,
    probabilities: list[float],
    version_id: str,
    milliseconds: float,
    dropped: int,
    elem_id: str = "answer",
    label: Any = None,
) -> str:
    """The verdict in words, what gave it, and a bar for each label; of spans the text with them marked.

    `label` is what was answered, where that is no index.
    """
    of = f" {t('of all of it')}" if isinstance(task, SpanTask) else ""
    meta = (
        f'<div class="meta">{_sure(max(probabilities))}{of} · '
        f"<code>{escape(version_id)}</code> · {milliseconds:.0f} ms</div>"
    )
    named = f' id="{elem_id}"' if elem_id else ""
    return f'<div class="panel"{named}>{said(task, example, label, probabilities, meta)}{too_long(dropped)}</div>'


def said(task: Task, example: Example, label: Any, probabilities: list[float], meta: str = "") -> str:
    """The verdict and what it says in full: a bar for each label, or the text with its spans marked.

    `meta` is HTML that stands between them.
    """
    if isinstance(task, SpanTask):
        found = t("1 entity" if len(label) == 1 else "{count} entities", count=len(label))
        count = found if label else t("No entity")
        text = marked_spans(example[task.fields[0].name], label)
        return f'<div class="verdict" role="status">{count}</div>{meta}<div class="marked">{text}</div>'
    names = label_names(task, example)
    top = max(range(len(names)), key=probabilities.__getitem__)
    words = t(VERDICTS[task.labels[top]]) if task.name == "nli" else ""
    colors = [LABEL_COLORS.get(name, ACCENT) for name in task.labels]
    return (
        f'<div class="verdict" role="status">{escape(shorten(names[top], 160))} <small>{escape(words)}</small></div>'
        f"{meta}{bars(names, probabilities, colors)}"
    )


def too_long(dropped: int) -> str:
    if dropped <= 0:
        return ""
    warning = t(
        "The text is too long for this model: {tokens} tokens at its end were left out of the answer.",
        tokens=f"<b>{dropped:,}</b>",
    )
    return f'<div class="warn">{warning}</div>'


def bars(names: list[str], probabilities: list[float], colors: Sequence[str] = ()) -> str:
    """A bar for each name with its probability, the likeliest marked."""
    top = max(range(len(names)), key=probabilities.__getitem__)
    rows = []
    for i, (name, p) in enumerate(zip(names, probabilities, strict=True)):
        color = colors[i] if colors else ACCENT
        rows.append(
            f'<div class="bar{" top" if i == top else ""}"><span class="name">{escape(shorten(name, 140))}</span>'
            f'<span class="track" role="img" aria-label="{100 * p:.1f} %">'
            f'<span class="fill" style="display:block;width:{100 * p:.2f}%;background:{color}"></span></span>'
            f'<span class="value">{100 * p:.1f} %</span></div>'
        )
    return "".join(rows)


def breakable(name: str) -> str:
    """A name such as "role_swap", escaped, that may go on in the next line behind each part."""
    return escape(name).replace("_", "_<wbr>")


def visible_space(text: str) -> str:
    """The text with marks in place of its white space."""
    return text.replace(" ", "␣").replace("\n", "⏎").replace("\t", "⇥")


def word_scores(segments: list[list[tuple[str, float]]], titles: list[str], label: str, about: str) -> str:
    """Each text with its words shaded: blue where a word speaks for the label, orange where against it.

    `about` says in a few words how the scores are made.
    """
    peak = max((abs(s) for words in segments for _, s in words), default=0.0) or 1.0
    html = [
        f'<div class="panel"><div class="hint">{t("Which words speak for")} <b>{escape(shorten(label, 80))}</b></div>'
    ]
    html.append('<div class="words">')
    for title, words in zip(titles, segments, strict=True):
        html.append(f'<span class="seg">{escape(t(title))}</span>')
        for text, score in words:
            alpha = min(abs(score) / peak, 1.0) * 0.55
            red, green, blue = _rgb(SUPPORT if score > 0 else OPPOSE)
            html.append(
                f'<span class="w" style="background:rgba({red},{green},{blue},{alpha:.2f})" '
                f'title="{score:+.3f}">{escape(text)}</span>'
            )
    html.append(
        f'</div><div class="legend"><i style="background:{SUPPORT}"></i>{t("for")}<i '
        f'style="background:{OPPOSE}"></i>{t("against")} · {escape(about)}; '
        f"{t('hold the pointer over a word for its score')}</div></div>"
    )
    return "".join(html)


def partial_input(task: Task, example: Example, answer: int, hidden: str, label: int, probability: float) -> str:
    """What the version says where a part of the input is hidden: a warning where that is no other answer."""
    said = f"{escape(shorten(label_names(task, example)[label], 80))} ({100 * probability:.0f} %)"
    field = t(escape(hidden))
    if label == answer:
        same = t(
            "Without the {field} the answer is the same, {said}: it may not depend on it.", field=field, said=said
        )
        return f'<div class="warn">{same}</div>'
    other = t("Without the {field} the answer would be {said}.", field=field, said=said)
    return f'<div class="hint">{other}</div>'


def example_text(task: Task, example: Example, limit: int = MAX_SHOWN_CHARS) -> str:
    """The example in one escaped line: its texts with a mark between them."""
    parts = []
    for field in task.fields:
        value = example[field.name]
        if isinstance(value, list):
            parts.append(" / ".join(escape(shorten(v, 120)) for v in value))
        elif value:
            parts.append(escape(shorten(value, limit)))
    return ' <span style="opacity:.55">▸</span> '.join(parts)


def one_line(task: Task, example: Example, limit: int = 200) -> str:
    """The example as plain text in one line, for menus and tables."""
    parts = []
    for field in task.fields:
        value = example[field.name]
        parts.append(" / ".join(value) if isinstance(value, list) else value)
    return shorten(" ▸ ".join(part for part in parts if part), limit)


def label_text(task: Task, example: Example, label: Any) -> str:
    """A label as a person reads it; "?" where there is none of that number."""
    try:
        text = task.label_text(label, example)
    except IndexError:
        return "?"
    return t(text) if task.labels or label == () else text  # what else is there are a person's own words


def label_names(task: Task, example: Example) -> list[str]:
    """What the model chooses between as a person reads it; choices are the example's own words."""
    return [t(name) for name in task.labels] or task.label_names(example)


def marked_spans(text: str, spans: Iterable[tuple[int, int, str]]) -> str:
    """The text, escaped, each span in its type's colour with the type's name after it."""
    html, place = [], 0
    for start, end, name in spans:
        color = SPAN_COLORS.get(name, ACCENT)
        html.append(
            f'{escape(text[place:start])}<mark style="background:{color}33;color:inherit;border-bottom:2px solid '
            f'{color};border-radius:3px;padding:1px 3px">{escape(text[start:end])}'
            f' <small style="font-weight:600">{escape(name)}</small></mark>'
        )
        place = end
    return "".join([*html, escape(text[place:])])


def shorten(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _sure(p: float) -> str:
    return t("{share} % sure", share=f"{100 * p:.0f}")


def _rgb(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)
