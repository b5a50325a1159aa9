"""Version folders and the store's rows about them, kept in step."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from data.jobs import get_job
from data.roles import require
from data.store import now, writing
from data.tasks import TASKS, get_task
from data.tasks.template import parse_claim, parse_template
from data.versions import add_version, get_version, live_versions, promote_version
from models.folders import ADAPTER, CARD, STARTERS, WEIGHTS, CheckpointError, read_card, save_version
from models.kinds import CLASSIFIER, ENTAILMENT, LIKELIHOOD, card_kind, check_load, detect_kind
from settings import Settings

README = "README.md"


def version_folder(settings: Settings, row: dict[str, Any]) -> Path:
    """Where the version's files are."""
    return settings.workspace / row["folder"]


def folder_of(settings: Settings, db: Database, version_id: str) -> Path:
    """Where the files of the version with that id are. Raises ValueError."""
    return version_folder(settings, get_version(db, version_id))


def prepare_workspace(settings: Settings, db: Database) -> None:
    """Puts the shipped starters and the models of `--model` into the workspace.

    A task that has no live version gets one: its starter, else the inference starter, which answers by entailment.
    `--model` promotes what it names. Raises CheckpointError.
    """
    for task in TASKS:
        version_id = None
        if (STARTERS / task / CARD).exists():
            version_id = install_starter(settings, db, task)
        elif get_task(task).head != "token_classification" and (STARTERS / "nli" / CARD).exists():
            version_id = register_zero_shot(settings, db, task, install_starter(settings, db, "nli"), load=False)
        if version_id and task not in live_versions(db):
            promote_version(db, version_id, by="blindspot", reason="starter")
    for task, source in settings.models.items():
        version_id = register_pretrained(settings, db, task, source)
        if live_versions(db).get(task) != version_id:
            promote_version(db, version_id, by="blindspot", reason="--model")


def install_starter(settings: Settings, db: Database, task: str) -> str:
    """Copies a task's starter into the workspace, once for each content; returns the version's id."""
    source = STARTERS / task
    version_id = f"{task}-starter-{_content_digest(source)}"
    card = {**read_card(source), "id": version_id, "parent": None}
    _register(settings, db, card, source, "shipped starter", load=False)
    return version_id


def register_pretrained(
    settings: Settings,
    db: Database,
    task: str,
    source: str,
    label_map: dict[str, str] | None = None,
    *,
    kind: str | None = None,
    template: dict[str, Any] | None = None,
    load: str | None = None,
) -> str:
    """Makes a Hugging Face checkpoint (a folder or a Hub name) a version; returns its id. A version, named by its
    folder or id, becomes one too, one of inference also for another task (by entailment).

    The version refers to the weights where they are. `kind` is one of `models.kinds`, else its configuration says;
    `template` what a language model is asked (`data.tasks.template`), `load` one of `models.placement`. Raises
    CheckpointError where it cannot be loaded, is of another kind or its labels do not map, and ValueError on an
    unknown task, kind or load, and on a template without its slots.
    """
    get_task(task)
    if db["versions"].count_where("id = ?", [source]):
        source = str(folder_of(settings, db, source))
    base = str(Path(source).resolve()) if Path(source).is_dir() else source
    if (Path(base) / CARD).exists():  # a version folder that somebody took away
        card = read_card(Path(base))
        if card["task"] == "nli" and task != "nli" and card_kind(card) == CLASSIFIER:
            return _entail(settings, db, task, card, Path(base), template)
        if card["task"] != task:
            raise ValueError(f"Expected a version of task {task!r} in {source}; found one of {card['task']!r}.")
        version_id = f"{card['id']}-{_content_digest(Path(base))}"  # another lab may have used the same id
        _register(settings, db, {**card, "id": version_id, "parent": None}, Path(base), f"from {source}")
        return version_id
    found = detect_kind(get_task(task), base, kind, label_map)
    asked: dict[str, Any] = {}
    if found == LIKELIHOOD:
        asked = {"kind": found, "template": parse_template(get_task(task), template).to_dict(get_task(task))}
        asked |= {"load": check_load(load)} if load else {}
    elif found == ENTAILMENT and not load:
        asked = {"kind": found, "template": parse_claim(get_task(task), template).to_dict(get_task(task))}
    elif template or load:
        raise ValueError(f"A template and a load are for causal language models; {source} answers as {found}.")
    key = f"{base}{_json(label_map)}{_json(asked) if asked else ''}"
    digest = hashlib.sha256(key.encode()).hexdigest()[:6]
    slug = re.sub(r"[^a-z0-9]+", "-", Path(base).name.lower()).strip("-")[:40]
    version_id = f"{task}-{slug}-{digest}"
    card = {
        "id": version_id,
        "task": task,
        "parent": None,
        "base": base,
        "label_map": label_map,
        **asked,
        "created_at": now(),
    }
    _register(settings, db, card, None, f"from {source}")
    return version_id


def register_zero_shot(
    settings: Settings,
    db: Database,
    task: str,
    version_id: str,
    template: dict[str, Any] | None = None,
    *,
    load: bool = True,
) -> str:
    """A version of another task that answers it by the entailment of an inference version; returns its id.

    Raises ValueError where the version is not of inference or the claim lacks its slot, and CheckpointError.
    """
    require("train")
    folder = folder_of(settings, db, version_id)
    card = read_card(folder)
    if card["task"] != "nli" or task == "nli" or get_task(task).head == "token_classification":
        raise ValueError(f"Expected an inference version for another task; {version_id} is of {card['task']!r}.")
    return _entail(settings, db, task, card, folder, template, load=load)


def _entail(
    settings: Settings,
    db: Database,
    task: str,
    card: dict[str, Any],
    folder: Path,
    template: dict[str, Any] | None,
    *,
    load: bool = True,
) -> str:
    """The inference version in `folder` as a version of the task."""
    asked = parse_claim(get_task(task), template).to_dict(get_task(task))
    key = f"{_content_digest(folder)}{_json(asked)}"
    new = {
        **{name: card[name] for name in ("base", "label_map", "seed") if name in card},
        "id": f"{task}-zero-shot-{hashlib.sha256(key.encode()).hexdigest()[:8]}",
        "task": task,
        "parent": None,
        "kind": ENTAILMENT,
        "template": asked,
        "created_at": now(),
    }
    _register(settings, db, new, folder, f"entailment by {card['id']}", load=load, without=(README,))
    return new["id"]


def register_template(settings: Settings, db: Database, version_id: str, template: dict[str, Any]) -> str:
    """The same model asked in other words, as a version of its own; returns its id.

    Raises ValueError where the version is a classifier or the template lacks its slots, and CheckpointError.
    """
    require("train")
    folder = folder_of(settings, db, version_id)
    card = read_card(folder)
    if card_kind(card) == CLASSIFIER:
        raise ValueError(f"Expected a causal language model, which a template asks; {version_id} is a classifier.")
    task = get_task(card["task"])
    parse = parse_template if card_kind(card) == LIKELIHOOD else parse_claim
    asked = parse(task, template).to_dict(task)
    if asked == card.get("template"):
        raise ValueError(f"{version_id} is asked in these words already; change the template first.")
    new_id = f"{version_id}-t{hashlib.sha256(_json(asked).encode()).hexdigest()[:6]}"
    new = {**card, "id": new_id, "parent": version_id, "template": asked, "created_at": now()}
    new.pop("metrics", None)
    _register(settings, db, new, folder, f"{version_id} asked in other words", without=(README,))
    return new_id


def register_strength(settings: Settings, db: Database, job_id: str, alpha: float) -> str:
    """The version that a job made, at a lower strength (see `models.dial`), as a version of its own; returns its id.

    Raises ValueError where the strength was not scored, and CheckpointError.
    """
    require("promote")
    job = get_job(db, job_id)
    dial = (job["report"] or {}).get("dial")
    if alpha == 1.0:
        return job["version_id"]
    if not dial or alpha not in [point["alpha"] for point in dial["points"][1:]]:
        raise ValueError(f"Expected a strength that job {job_id} was scored at (0.1 to 1.0); found {alpha:g}.")
    from models.dial import point_reasons, write_blend

    version_id = f"{job['version_id']}-s{round(100 * alpha)}"
    if db["versions"].count_where("id = ?", [version_id]):
        return version_id
    relative = f"versions/{job['task']}/{version_id}"
    if not (settings.workspace / relative).exists():
        ends = (folder_of(settings, db, job["parent_id"]), folder_of(settings, db, job["version_id"]))
        write_blend(*ends, alpha, settings.workspace / relative, version_id)
    counts = {name: split["child"]["rows"] for name, split in job["report"]["splits"].items()}
    gate = point_reasons(dial["points"], alpha, counts, **settings.budgets)
    card = read_card(settings.workspace / relative)
    add_version(db, card, relative, f"{job['version_id']} at strength {alpha:g}", gate)
    return version_id


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _content_digest(folder: Path) -> str:
    """Eight hexadecimal digits that tell one version's weights from another's."""
    weights = next((folder / name for name in (ADAPTER, WEIGHTS) if (folder / name).exists()), folder / CARD)
    with weights.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:8]


def _register(
    settings: Settings,
    db: Database,
    card: dict[str, Any],
    source: Path | None,
    note: str,
    *,
    load: bool = True,
    without: tuple[str, ...] = (),
) -> None:
    """Copies the files and adds the row, unless they are there; `load` first tries whether the model loads."""
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", card["id"]):
        raise CheckpointError(f"Expected as a version's id letters, digits, dots and dashes; found {card['id']!r}.")
    relative = f"versions/{card['task']}/{card['id']}"
    folder = settings.workspace / relative
    if not folder.exists():

        def write_files(partial: Path) -> None:
            for path in source.iterdir() if source else []:
                if path.is_symlink():  # it would bring along, and give away, a file from elsewhere
                    raise CheckpointError(f"Expected plain files in {source}; {path.name} is a symbolic link.")
                if path.is_file() and path.name not in (CARD, *without):
                    shutil.copy2(path, partial / path.name)

        try:
            save_version(folder, card, write_files)
        except FileExistsError:  # another process was first
            return _register(settings, db, card, source, note, load=load, without=without)
        if load:
            from models.checkpoint import load_checkpoint

            try:
                load_checkpoint(folder)
            except BaseException:
                shutil.rmtree(folder)
                raise
    with writing(db):
        if not db["versions"].count_where("id = ?", [card["id"]]):
            add_version(db, card, relative, note)
