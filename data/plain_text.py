"""Measurements and reports as plain text, for a shell."""

from __future__ import annotations

import json
from typing import Any

from data.tasks import Task


def evaluation_text(task: Task, result: dict[str, Any]) -> str:
    lines = [f"{result['version']}: accuracy {share(result)}"]
    if "f1" in result:
        lines[0] += ", entities: precision {precision:.3f}, recall {recall:.3f}, F1 {f1:.3f}".format(**result)
        lines += ["", *(f"{name:<32} F1 {f1:.3f}" for name, f1 in result["by_type"].items())]
    if "macro_f1" in result:
        lines[0] += f", macro-F1 {result['macro_f1']:.3f}"
        lines += ["", "right \\ answered".ljust(18) + "".join(f"{label:>15}" for label in task.labels)]
        for label, counts in zip(task.labels, result["confusion"], strict=True):
            lines.append(f"{label:<18}" + "".join(f"{count:>15}" for count in counts))
    lines.append("")
    lines += [f"{name:<32} {share(part)}" for name, part in result["phenomena"].items()]
    return "\n".join(lines)


def report_text(task: Task, job: dict[str, Any]) -> str:
    if job["state"] != "done":
        return f"{job['id']} {job['state']}.\n{job['error'] or ''}".rstrip()
    report = job["report"]
    lines = [f"{job['id']} made {job['version_id']} from {report['parent']} in {report['seconds']:.0f} s."]
    for name, split in report["splits"].items():
        if split["child"]["rows"]:
            lines.append(
                f"{name:<12} {share(split['parent'])} -> {share(split['child'])}: "
                f"{len(split['fixed'])} fixed, {len(split['failing'])} still failing, "
                f"{len(split['broken'])} newly broken"
            )
    for name, split in report["splits"].items():
        for row in split["broken"]:
            expected, found = task.format_label(row["label"]), task.format_label(row["after"])
            lines.append(f"newly broken in {name}: {json.dumps(row['example'])} is {expected}, answered {found}")
    held_back = report.get("gate") or []
    lines += [f"held back: {reason}" for reason in held_back]
    reason = " --reason TEXT" if held_back else ""
    lines.append(f"`python cli.py promote {job['version_id']}{reason}` lets it answer.")
    return "\n".join(lines)


def share(metrics: dict[str, Any]) -> str:
    return f"{100 * metrics['accuracy']:.1f} % ({metrics['right']} of {metrics['rows']})"
