"""A job's state and report as HTML: what was fixed, what still fails, what newly broke."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from html import escape
from typing import Any

from components import highlight
from components.languages import t
from components.stored import stored_text
from data.jobs import ACTIVE
from data.tasks import Task, get_task

FIRST_CASES, SHOWN_CASES = 6, 60
PHASES = {
    "waiting": "waiting for its turn",
    "loading": "loading the model",
    "training": "training",
    "evaluating": "comparing the versions",
}
SPLITS = {
    "taught": ("Taught examples", "what it was trained on: has it learnt the sentences?"),
    "held_out": ("Held-out flags", "flagged or confirmed, never trained on"),
    "siblings": (
        "Unseen siblings",
        "the corrections in other words, never trained on: is it more than the sentences?",
    ),
    "contrasts": ("Unseen contrasts", "near neighbours, by rule or confirmed, never trained on: do they still hold?"),
    "suites": ("Behavioural suites", "a few rows of every capability"),
    "retention": ("Retention set", "the project's own general examples, never trained on: what must not break"),
}
HEAD = (
    '<tr><th>measured on</th><th class="num">rows</th><th class="num">before</th><th class="num">after</th>'
    '<th class="num">change, 95 % interval</th><th class="num">fixed</th><th class="num">broken</th></tr>'
)
ASKED = "{count} examples, asked for by {who}"
TRAINED = "{rows} training rows in {seconds} s ({rate} rows/s, {how}); {all} s in all."
AS_THEY_ARE = "{count} corrections were used as they are: no rule of word swaps fits."
LEFT_OUT = "{count} examples on which annotators disagree were left out."
STEP = "step {step} of {steps} · {rate} examples/s"
MOVED = {
    "up": "General accuracy rose by {points} points.",
    "down": "General accuracy fell by {points} points.",
    "same": "General accuracy stayed the same.",
}
READINGS = {
    "learnt": "It <b>learnt the phenomenon</b>",
    "partly": "It learnt the phenomenon <b>in part</b>",
    "memorised": "It <b>memorised the sentences</b>",
    "shortcut": "It took a <b>shortcut</b>: the words themselves now decide",
    "nothing": "It did <b>not learn</b> what it was taught",
    "few": "There are <b>too few unseen siblings to tell</b> whether it learnt more than the sentences",
}


def status_html(job: dict[str, Any]) -> str:
    """State, progress bar, step, speed and time left; for a failed run its last words."""
    state, progress = job["state"], job["progress"] or []
    head = (
        f'<div><b>{escape(job["id"])}</b> <span class="pill {state}">{t(state)}</span> '
        f'<span class="hint">{t("from")} <code>{escape(job["parent_id"])}</code>, {t(job["preset"].capitalize())}, '
        f"{t(ASKED, count=len(job['example_ids']), who=escape(job['requested_by']))}</span></div>"
    )
    body = ""
    if state in ACTIVE:
        phase = t("stopping" if state == "cancelling" else PHASES.get(job["phase"], job["phase"]))
        last = progress[-1] if progress else None
        if last and job["phase"] == "training":
            share = 100 * last["step"] / max(last["steps"], 1)
            body = (
                f'<div class="progress"><div style="width:{share:.1f}%"></div></div>'
                f'<div class="hint">{phase}: {t(STEP, **last, rate=round(last["rows_per_s"]))} · '
                f"{t('about {time} left, then the comparison', time=duration(last['eta_s']))}</div>"
            )
        else:
            body = f'<div class="progress busy"><div></div></div><div class="hint">{phase}</div>'
    elif state == "failed":
        text = job["error"] or "No reason was recorded."
        body = f'<div style="height:10px"></div>{highlight.problem(highlight.shorten(text, 3000))}'
    elif state == "cancelled":
        body = t('<div class="hint">Stopped. Nothing was changed; press Retrain to start again.</div>')
    return f'<div class="panel" id="run-status">{head}{body}</div>'


def report_html(job: dict[str, Any], alike: Sequence[dict[str, Any]] = ()) -> str:
    """What the run fixed and broke: the finding in words, what holds it back, and the figures by split.

    `alike` are the runs that differ in the seed alone; with two or more the spread over seeds is told.
    """
    report = job["report"]
    html = [f'<div class="panel"><p class="lead">{finding(report)}</p>']
    if report["gate"]:
        reasons = "; ".join(escape(stored_text(reason)) for reason in report["gate"])
        html.append(f'<div class="warn"><b>{t("Held back:")}</b> {reasons}.</div><div style="height:12px"></div>')
    html.append(f'<table class="plain">{t(HEAD)}')
    html += [split_row(name, report["splits"][name]) for name in SPLITS]
    return "".join(html) + f"</table>{spread(alike)}{footnotes(report)}</div>"


def spread(runs: Sequence[dict[str, Any]]) -> str:
    """Mean and standard deviation over seeds of what matters most; nothing for a single run."""
    if len(runs) < 2:
        return ""
    parts = []
    for name in ("siblings", "contrasts", "retention"):
        values = [100 * run["report"]["splits"][name]["child"]["accuracy"] for run in runs]
        parts.append(
            f"{t(SPLITS[name][0]).lower()} <b>{statistics.mean(values):.1f} ± {statistics.stdev(values):.1f} %</b>"
        )
    return f'<p class="hint">{t("Over {count} seeds: {parts}.", count=len(runs), parts=", ".join(parts))}</p>'


def split_row(name: str, split: dict[str, Any]) -> str:
    title, meaning = SPLITS[name]
    before, after, change = split["parent"], split["child"], split["change"]
    if not before["rows"]:
        meaning = (
            "none yet: about one flag in five is held out to measure with"
            if name == "held_out"
            else "none: no rule fits what was corrected"
        )
        return (
            f'<tr><td><b>{t(title)}</b><br><span class="hint">{t(meaning)}</span></td><td class="num">0</td>'
            + "<td></td>" * 5
            + "</tr>"
        )
    mood = "up" if change["low"] > 0 else "down" if change["high"] < 0 else ""
    interval = f'<br><span class="hint">{interval_text(change["low"], change["high"])}</span>'
    return (
        f'<tr><td><b>{t(title)}</b><br><span class="hint">{t(meaning)}</span></td>'
        f'<td class="num">{before["rows"]}</td>'
        f'<td class="num">{percent(before)}</td><td class="num">{percent(after)}</td>'
        f'<td class="num {mood}">{change["points"]:+.1f}{interval}</td>'
        f'<td class="num">{len(split["fixed"])}</td><td class="num">{len(split["broken"])}</td></tr>'
    )


def footnotes(report: dict[str, Any]) -> str:
    training, counts = report["training"], report["counts"]
    notes = [
        t(
            TRAINED,
            rows=training["rows"],
            seconds=round(training["seconds"]),
            rate=round(training["rows_per_s"]),
            how=f"{escape(training['precision'])}, {escape(stored_text(training['device']))}",
            all=round(report["seconds"]),
        )
    ]
    if counts["without_siblings"]:
        notes.append(t(AS_THEY_ARE, count=counts["without_siblings"]))
    if counts["conflicts"]:
        notes.append(t(LEFT_OUT, count=counts["conflicts"]))
    return f'<div class="hint" style="margin-top:10px">{" ".join(notes)}</div>'


def all_cases_html(job: dict[str, Any]) -> str:
    """The examples that the run broke, left failing and fixed, over all splits."""
    task, splits = get_task(job["task"]), job["report"]["splits"]
    html = []
    for kind, title in (("broken", "Newly broken"), ("failing", "Still failing"), ("fixed", "Fixed")):
        cases = [(name, case) for name in SPLITS for case in splits[name][kind]]
        html.append(cases_html(task, kind, title, cases))
    return "".join(html)


def cases_html(task: Task, kind: str, title: str, cases: list[tuple[str, dict[str, Any]]]) -> str:
    if not cases:
        return f'<div class="hint" style="margin:12px 4px">{t(title)}: {t("none")}.</div>'
    items = []
    for split, case in cases[:SHOWN_CASES]:
        example = case["example"]
        said = [highlight.label_text(task, example, case[key]) for key in ("label", "before", "after")]
        right, before, after = (escape(highlight.shorten(text, 90)) for text in said)
        origin = f"{escape(t(case['category']))} · {t(SPLITS.get(split, (split,))[0]).lower()}"
        items.append(
            f'<div class="case {kind}">{highlight.example_text(task, example, 400)}<div class="said">'
            f"{t('right')}: <b>{right}</b> · {t('before')}: {before} · {t('now')}: {after} · {origin}</div></div>"
        )
    left_out = len(cases) - SHOWN_CASES
    more = "".join(items[FIRST_CASES:]) + (
        f'<div class="hint">{t("and {count} more", count=left_out)}</div>' if left_out > 0 else ""
    )
    if more:
        more = f"<details><summary>{t('Show {count} more', count=len(cases) - FIRST_CASES)}</summary>{more}</details>"
    opened = " open" if kind == "broken" else ""
    return (
        f'<details class="panel" style="margin-top:12px"{opened}><summary><b>{t(title)}</b> ({len(cases)})</summary>'
        f"{''.join(items[:FIRST_CASES])}{more}</details>"
    )


def finding(report: dict[str, Any]) -> str:
    """The result in a few sentences."""
    splits = report["splits"]
    taught, siblings, contrasts = (splits[name] for name in ("taught", "siblings", "contrasts"))
    failed = taught["parent"]["rows"] - taught["parent"]["right"]
    fixed = t("Fixed <b>{fixed} of {failed}</b> failures it was taught.", fixed=len(taught["fixed"]), failed=failed)
    sentences = [fixed if failed else ""]
    reason = ""
    if siblings["child"]["rows"] and report["reading"] != "few":
        reason = t(": {share} % of unseen siblings are right", share=f"{100 * siblings['child']['accuracy']:.0f}")
        if contrasts["child"]["rows"]:
            reason += t(", {share} % of unseen contrasts", share=f"{100 * contrasts['child']['accuracy']:.0f}")
    sentences.append(f"{t(READINGS[report['reading']])}{reason}.")
    change = splits["retention"]["change"]["points"]
    general = MOVED["up" if change > 0 else "down" if change < 0 else "same"]
    sentences.append(t(general, points=f"{abs(change):.1f}"))
    return " ".join(s for s in sentences if s)


def interval_text(low: float, high: float) -> str:
    """The ends of an interval, in percentage points."""
    return t("{low} to {high}", low=f"{low:+.1f}", high=f"{high:+.1f}")


def percent(metrics: dict[str, Any]) -> str:
    entities = f"<br>F1 {100 * metrics['f1']:.1f}" if "f1" in metrics else ""
    return f"{100 * metrics['accuracy']:.1f} %<br>{metrics['right']}{entities}"


def duration(seconds: float) -> str:
    seconds = round(seconds)
    return (
        f"{seconds} s" if seconds < 90 else f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
    )
