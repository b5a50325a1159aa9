"""What sort of checkpoint answers a task: one made for it, a language model, or an inference model."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Any

from data.tasks import Task, get_task
from models.folders import CheckpointError

CLASSIFIER = "classifier"
"""A checkpoint with the task's own head: sequence classification, or multiple choice."""
LIKELIHOOD = "likelihood"
"""A causal language model: the likelihood of each answer after a prompt (`models.likelihood`)."""
ENTAILMENT = "entailment"
"""An inference checkpoint on another task: does the text entail that it has a label (Yin et al. 2019)?"""
KINDS = (CLASSIFIER, LIKELIHOOD, ENTAILMENT)
ENTAILED = "entailment"
"""The output that such a checkpoint is read at."""
FOUR_BIT = "4bit"
LOADS = (FOUR_BIT,)
"""What a version's card may ask for under `load` (`models.placement`)."""


def detect_kind(
    task: Task, source: str | Path, wanted: str | None = None, label_map: dict[str, str] | None = None
) -> str:
    """How the checkpoint can answer the task, by its configuration; `wanted` is what a person said.

    Raises CheckpointError where it cannot be read or is of another sort, and ValueError on an unknown kind.
    """
    if wanted is not None and wanted not in KINDS:
        raise ValueError(f"Expected as kind {', '.join(KINDS)}; found {wanted!r}.")
    config = read_config(source)
    kind = wanted or CLASSIFIER
    if wanted is None and is_causal(config):
        kind = LIKELIHOOD
    elif wanted is None and ENTAILED not in task.labels and ENTAILED in output_names(config, label_map).values():
        kind = ENTAILMENT
    check_kind(task, kind, config, source, label_map)
    return kind


def check_kind(
    task: Task, kind: str, config: Any, source: str | Path, label_map: dict[str, str] | None = None
) -> None:
    """Raises CheckpointError where the checkpoint's architecture is of another sort than its version says."""
    found = ", ".join(getattr(config, "architectures", None) or []) or "no architecture"
    if task.head == "token_classification" and (kind != CLASSIFIER or is_causal(config)):
        raise CheckpointError(
            f"Task {task.name!r} is answered by spans and expects a token-classification checkpoint in {source}; "
            f"found {found}. Name one whose outputs are {', '.join(task.outputs)}."
        )
    if kind == LIKELIHOOD and not is_causal(config):
        raise CheckpointError(
            f"Expected a causal language model, such as GPT2LMHeadModel, in {source}; found {found}. "
            f"Leave --kind out, or pass --kind {CLASSIFIER}."
        )
    if kind == CLASSIFIER and is_causal(config):
        raise CheckpointError(
            f"Expected a {task.head} checkpoint for task {task.name!r} in {source}; found {found}, a causal language "
            f"model. Leave --kind out, or pass --kind {LIKELIHOOD}, and it answers by likelihood."
        )

    names = output_names(config, label_map)
    if kind == ENTAILMENT and ENTAILED not in names.values():
        raise CheckpointError(
            f"Expected an inference checkpoint with an output {ENTAILED!r} in {source}; found {found} with "
            f"{', '.join(names.values())}. Name an inference model, or its outputs by --label-map."
        )


def output_names(config: Any, label_map: dict[str, str] | None = None) -> dict[int, str]:
    """A classifier's outputs and what they are called, by the map where it names them."""
    names = label_map or {}
    return {i: str(names.get(name, name)).casefold() for i, name in dict(config.id2label).items()}


def is_causal(config: Any) -> bool:
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    names = MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values()
    known = set(chain.from_iterable([name] if isinstance(name, str) else name for name in names))
    return any(name in known for name in getattr(config, "architectures", None) or [])


def read_config(source: str | Path) -> Any:
    """A checkpoint's configuration. Raises CheckpointError."""
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(source, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise CheckpointError(
            f"The model {source} cannot be loaded: {error}. Expected a Hugging Face checkpoint with a config.json."
        ) from error


def check_load(load: str) -> str:
    if load not in LOADS:
        raise ValueError(f"Expected as load {' or '.join(LOADS)}; found {load!r}.")
    return load


def card_kind(card: dict[str, Any]) -> str:
    """What `version.json` says; versions older than the kinds are classifiers."""
    return card.get("kind") or CLASSIFIER


def auto_class(card: dict[str, Any]) -> Any:
    """The library's class that loads such a model."""
    from transformers.models.auto import modeling_auto

    if card_kind(card) == LIKELIHOOD:
        return modeling_auto.AutoModelForCausalLM
    if card_kind(card) == CLASSIFIER and get_task(card["task"]).head == "token_classification":
        return modeling_auto.AutoModelForTokenClassification
    if card_kind(card) == ENTAILMENT or get_task(card["task"]).head == "sequence_classification":
        return modeling_auto.AutoModelForSequenceClassification
    return modeling_auto.AutoModelForMultipleChoice


def base_labels(card: dict[str, Any]) -> tuple[str, ...]:
    """What the outputs of the embedded encoder's head are called; none for choices."""
    return get_task("nli" if card_kind(card) == ENTAILMENT else card["task"]).outputs
