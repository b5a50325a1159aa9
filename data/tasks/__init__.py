"""The catalogue of tasks: a new task is one module and one line here."""

from data.tasks import commonsense, labels, ner, nli, sentiment
from data.tasks.base import CATEGORIES, Example, Field, Task, clean_text, parse_category

TASKS: dict[str, Task] = {module.TASK.name: module.TASK for module in (nli, sentiment, commonsense, labels, ner)}


def get_task(name: str) -> Task:
    """The task of that name. Raises ValueError that lists the known ones."""
    if name not in TASKS:
        raise ValueError(f"Expected as task one of {', '.join(TASKS)}; found {name!r}.")
    return TASKS[name]


__all__ = ["CATEGORIES", "TASKS", "Example", "Field", "Task", "clean_text", "get_task", "parse_category"]
