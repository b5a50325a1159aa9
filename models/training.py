"""A job folder in, a version folder out: `python -m models.training FOLDER`.

The folder is all that a training machine needs beside this code, torch, transformers, peft, accelerate
and safetensors; no store and no page.

    job.json        task, version (the new one's id), parent's id, recipe, example_ids
    train.jsonl     rows: the task's fields, label (an index), weight, distil (keep the parent's answer)
    parent/         the parent's version folder; its `version.json` alone starts from the bare base
    encoder/        the embedded encoder, where the machine has not installed it (optional)
    progress.jsonl  written: one row a logged step
    checkpoints/    written: where an interrupted run goes on
    version/        written last, and only when complete
"""

from __future__ import annotations

import json
import math
import os
import re
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import version as library_version
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_pt_utils import LengthGroupedSampler

from data.tasks import Task, get_task
from models.checkpoint import halve_adapter, load_base, merge_adapter
from models.device import choose_device, describe, has_bf16
from models.folders import ADAPTER, ADAPTER_CONFIG, WEIGHTS, read_card, save_version
from models.inputs import Encoded, collate, encode, example_logits, window
from models.recipe import Recipe

LIBRARIES = ("torch", "transformers", "peft", "accelerate", "safetensors")
CHECKPOINT_STEPS = 500


class TrainingError(RuntimeError):
    """The run cannot go on; the message says why and what to do."""


def train(folder: Path, device_name: str = "auto") -> Path:
    """Trains as `folder`'s job says; returns the finished version folder inside it.

    Raises TrainingError, CheckpointError, EncoderError or ValueError; then no version folder is left.
    """
    if (folder / "encoder").is_dir():
        os.environ["BLINDSPOT_ENCODER"] = str(folder / "encoder")
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    recipe = Recipe.from_dict(job["recipe"])
    task = get_task(job["task"])
    rows = read_rows(folder / "train.jsonl", task)
    device = choose_device(device_name)
    bf16 = recipe.precision == "bf16" or (recipe.precision == "auto" and has_bf16(device))
    torch.manual_seed(recipe.seed)

    parent = read_card(folder / "parent")
    model, tokenizer, adapted = trainable_model(folder / "parent", parent, task, recipe, device)
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    print(
        f"Training {task.name} on {describe(device)} in {'bfloat16 autocast' if bf16 else 'float32'}: "
        f"{len(rows)} rows, {recipe.steps(len(rows))} steps, {recipe.method}, {trainable / 1e6:.2f} M weights.",
        flush=True,
    )
    max_tokens = min(recipe.max_tokens, window(model.config, tokenizer))
    encoded = encode(tokenizer, task, [row["example"] for row in rows], max_tokens)
    dataset = Rows(rows, encoded)
    if adapted and bf16:
        halve_frozen_weights(model)
    freeze_layers(model, recipe.frozen_layers)
    model.to(device)
    if any(row["distil"] for row in rows):
        keep_parent_answers(model, task, dataset, tokenizer.pad_token_id, device, bf16)
    trainer = make_trainer(folder, model, task, dataset, recipe, tokenizer, device, bf16)
    start = time.monotonic()
    trainer.train(resume_from_checkpoint=latest_checkpoint(folder / "checkpoints"))
    seconds = time.monotonic() - start
    passes = recipe.row_passes(len(rows))
    print(f"Trained {passes:.0f} row-passes in {seconds:.1f} s ({passes / seconds:.0f} rows/s).", flush=True)
    if device.type == "cuda":
        print(f"Peak GPU memory {torch.cuda.max_memory_allocated(device) / 2**20:.0f} MiB.", flush=True)

    card = {
        "id": job["version"],
        "task": task.name,
        "parent": job.get("parent"),
        "base": parent["base"],
        "label_map": parent.get("label_map"),
        "temperature": parent.get("temperature", 1.0),
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": recipe.seed,
        "recipe": recipe.to_dict(),
        "example_ids": job.get("example_ids", []),
        "training": {
            "rows": len(rows),
            "seconds": round(seconds, 2),
            "rows_per_s": round(passes / seconds, 1),
            "device": describe(device),
            "precision": "bf16" if bf16 else "fp32",
        },
        "libraries": {name: library_version(name) for name in LIBRARIES},
    }
    return save_version(folder / "version", card, lambda out: write_weights(out, model, tokenizer, adapted))


def read_rows(path: Path, task: Task) -> list[dict[str, Any]]:
    """The training rows. Raises TrainingError that names the line."""
    rows = []
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise ValueError(f"expected an object; found {row!r:.80}")
                example = task.parse_example(row)
                label = row["label"]
                if not 0 <= label < len(task.label_names(example)):
                    raise ValueError(f"label {label} is out of range")
                weight = float(row.get("weight", 1.0))
                if not 0 < weight < math.inf:
                    raise ValueError(f"expected as weight a number above 0; found {weight}")
            except (ValueError, KeyError, TypeError) as error:
                raise TrainingError(f"{path.name} line {number}: {error}") from None
            rows.append(
                {
                    "example": example,
                    "label": label,
                    "weight": weight,
                    "distil": bool(row.get("distil")),
                }
            )
    if not rows:
        raise TrainingError(f"{path.name} holds no rows; flag or confirm some examples first.")
    return rows


def trainable_model(
    folder: Path, card: dict[str, Any], task: Task, recipe: Recipe, device: torch.device
) -> tuple[torch.nn.Module, Any, bool]:
    """The parent as a model to train, its tokenizer, and whether the result is an adapter over the base."""
    from peft import LoraConfig, PeftModel, get_peft_model

    base, tokenizer = load_base(folder, card, attention="eager" if device.type == "cpu" else None)
    for module in base.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = recipe.dropout
    has_adapter = (folder / ADAPTER).exists()
    if recipe.method == "full":
        if has_adapter:
            merge_adapter(base, folder)
        return base, tokenizer, False
    if has_adapter:
        model = PeftModel.from_pretrained(base, folder, is_trainable=True, autocast_adapter_dtype=True)
    else:
        heads = head_modules(base)
        config = LoraConfig(
            r=recipe.rank,
            lora_alpha=2 * recipe.rank,
            target_modules="all-linear",
            exclude_modules=heads,
            modules_to_save=heads,
        )
        model = get_peft_model(base, config)
    if recipe.method == "head":
        for name, parameter in model.named_parameters():
            parameter.requires_grad = "modules_to_save" in name
    return model, tokenizer, not (folder / WEIGHTS).exists()


def freeze_layers(model: torch.nn.Module, count: int) -> None:
    """Keeps embeddings and the encoder's `count` lowest layers as they are. Raises ValueError where it has fewer."""
    if not count:
        return
    layer = re.compile(r"\.(?:layer|layers|h)\.(\d+)\.")
    found = {name: layer.search(name) for name, _ in model.named_parameters()}
    most = max((int(match[1]) + 1 for match in found.values() if match), default=0)
    if count > most:
        raise ValueError(f"Recipe option frozen_layers: expected at most the encoder's {most} layers; found {count}.")
    for name, parameter in model.named_parameters():
        if (found[name] and int(found[name][1]) < count) or "embeddings" in name:
            parameter.requires_grad = False


def halve_frozen_weights(model: torch.nn.Module) -> None:
    """Keeps the linear layers under the adapters in bfloat16, as autocast would cast them at every step.

    The answers stay the same to the bit; on two CPU cores a step takes about three quarters of the time.
    """
    from peft.tuners.lora import Linear

    for module in model.modules():
        if isinstance(module, Linear):
            module.base_layer.to(torch.bfloat16)


def head_modules(model: torch.nn.Module) -> list[str]:
    """Names of the modules that a new task trains whole: those outside the encoder, and its pooler."""
    heads = [
        name
        for name, child in model.named_children()
        if name != model.base_model_prefix and any(True for _ in child.parameters())
    ]
    pooler = getattr(getattr(model, model.base_model_prefix, None), "pooler", None)
    return [*heads, f"{model.base_model_prefix}.pooler.dense"] if pooler is not None else heads


def write_weights(folder: Path, model: torch.nn.Module, tokenizer: Any, adapted: bool) -> None:
    """An adapter in float16, or full weights with configuration and tokenizer."""
    if adapted:
        model.save_pretrained(folder, safe_serialization=True)
        halve_adapter(folder)
        (folder / "README.md").unlink(missing_ok=True)  # peft's empty template; the worker writes the card
        config = json.loads((folder / ADAPTER_CONFIG).read_text(encoding="utf-8"))
        config["base_model_name_or_path"] = None  # version.json names the base; no machine's path goes out
        (folder / ADAPTER_CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        return
    if hasattr(model, "merge_and_unload"):
        model = model.merge_and_unload()
    model.save_pretrained(folder, safe_serialization=True)
    tokenizer.save_pretrained(folder)


class Rows(torch.utils.data.Dataset):
    """Encoded rows with label, weight and, once asked, the parent's answer."""

    def __init__(self, rows: list[dict[str, Any]], encoded: list[Encoded]) -> None:
        self.rows, self.encoded = rows, encoded
        self.teacher: list[torch.Tensor | None] = [None] * len(rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[Encoded, int, float, torch.Tensor | None]:
        row = self.rows[index]
        return self.encoded[index], row["label"], row["weight"], self.teacher[index]


def collate_rows(items: list[tuple], pad_id: int) -> dict[str, torch.Tensor]:
    """A batch with `labels`, `weights` (example,) and `teacher` probabilities (example, label).

    A row that is not distilled has zeros for a teacher.
    """
    encoded, labels, weights, teachers = zip(*items, strict=True)
    batch = collate(encoded, pad_id)
    batch["labels"] = torch.tensor(labels)
    batch["weights"] = torch.tensor(weights)
    if any(t is not None for t in teachers):
        width = max(len(t) for t in teachers if t is not None)
        width = max(width, *(len(e.input_ids) for e in encoded))
        batch["teacher"] = torch.zeros(len(items), width)
        for i, teacher in enumerate(teachers):
            if teacher is not None:
                batch["teacher"][i, : len(teacher)] = teacher
    return batch


def hide_words(batch: dict[str, torch.Tensor], recipe: Recipe, tokenizer: Any) -> dict[str, torch.Tensor]:
    """The batch with a share of its words behind the mask token (or the unknown one); special tokens stay."""
    if recipe.word_dropout:
        ids = batch["input_ids"]
        hidden = torch.rand(ids.shape) < recipe.word_dropout
        special = torch.isin(ids, torch.tensor(tokenizer.all_special_ids))
        mask = tokenizer.mask_token_id if tokenizer.mask_token_id is not None else tokenizer.unk_token_id
        if mask is None:
            raise TrainingError("Recipe option word_dropout: this model's tokenizer has no mask token; set it to 0.")
        batch["input_ids"] = torch.where(hidden & ~special, mask, ids)
    return batch


def keep_parent_answers(
    model: torch.nn.Module, task: Task, dataset: Rows, pad_id: int, device: torch.device, bf16: bool
) -> None:
    """Gives each row marked `distil` the answer of the model as it is before training: the parent."""
    marked = sorted(
        (i for i, row in enumerate(dataset.rows) if row["distil"]), key=lambda i: dataset.encoded[i].length
    )
    model.eval()
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        for start in range(0, len(marked), 64):
            chosen = marked[start : start + 64]
            batch = collate([dataset.encoded[i] for i in chosen], pad_id)
            probabilities = example_logits(model, task, to_device(batch, device)).softmax(-1).cpu().clone()
            for i, row in zip(chosen, probabilities, strict=True):
                dataset.teacher[i] = row
    model.train()


def to_device(batch: dict[str, torch.Tensor], device: torch.device) -> dict[str, torch.Tensor]:
    return {name: value.to(device) for name, value in batch.items()}


def loss_of(
    logits: torch.Tensor,
    labels: torch.Tensor,
    weights: torch.Tensor,
    teacher: torch.Tensor | None,
    recipe: Recipe,
) -> torch.Tensor:
    """Mean loss of a batch: cross-entropy, or the divergence from the parent on a distilled row.

    Distillation is Hinton et al. 2015 at temperature 1. Columns at minus infinity (absent choices) take
    no part; smoothing is spread over the present ones.
    """
    log_p = F.log_softmax(logits, -1)
    present = ~torch.isneginf(logits)  # NaN is present: it has to show in the loss
    log_p = log_p.masked_fill(~present, 0.0)
    losses = -log_p.gather(1, labels.unsqueeze(1)).squeeze(1)
    if recipe.label_smoothing:
        uniform = -(log_p.sum(1) / present.sum(1))
        losses = (1 - recipe.label_smoothing) * losses + recipe.label_smoothing * uniform
    if teacher is not None:
        teacher = F.pad(teacher, (0, max(0, logits.shape[1] - teacher.shape[1])))[:, : logits.shape[1]]
        divergence = (torch.xlogy(teacher, teacher) - teacher * log_p).sum(1)
        losses = torch.where(teacher.sum(1) > 0, recipe.distillation * divergence, losses)
    return (losses * weights).sum() / weights.sum()


class RowTrainer(Trainer):
    """Hugging Face's Trainer with this project's loss for rows of either head."""

    def __init__(self, *, task: Task, recipe: Recipe, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.task, self.recipe = task, recipe
        self.model_accepts_loss_kwargs = False

    def _get_train_sampler(self, train_dataset: Any = None) -> LengthGroupedSampler:
        lengths = [e.length for e in self.train_dataset.encoded]
        batch_size = self.args.train_batch_size * self.args.gradient_accumulation_steps
        return LengthGroupedSampler(batch_size, lengths=lengths)

    def training_step(self, model: Any, inputs: dict[str, Any], *more: Any, **named: Any) -> torch.Tensor:
        """A step, and where the recipe asks for it another one against the embeddings (FGM)."""
        if not self.recipe.adversarial:
            return super().training_step(model, inputs, *more, **named)
        words = model.get_input_embeddings()
        seen: list[torch.Tensor] = []

        def keep(_module: Any, _inputs: Any, output: torch.Tensor) -> torch.Tensor:
            output = output.detach().requires_grad_() if not output.requires_grad else output
            output.retain_grad()
            seen.append(output)
            return output

        handle = words.register_forward_hook(keep)
        try:
            loss = super().training_step(model, dict(inputs), *more, **named)
        finally:
            handle.remove()
        gradient = seen[0].grad
        length = gradient.flatten(1).norm(dim=1).clamp_min(1e-12).view(-1, 1, 1)
        push = self.recipe.adversarial * gradient / length
        handle = words.register_forward_hook(lambda _module, _inputs, output: output + push)
        try:
            return (loss + super().training_step(model, dict(inputs), *more, **named)) / 2
        finally:
            handle.remove()

    def compute_loss(
        self, model: Any, inputs: dict[str, torch.Tensor], return_outputs: bool = False, **_: Any
    ) -> Any:
        inputs = dict(inputs)
        labels, weights = inputs.pop("labels"), inputs.pop("weights")
        teacher = inputs.pop("teacher", None)
        logits = example_logits(model, self.task, inputs)
        loss = loss_of(logits, labels, weights, teacher, self.recipe)
        return (loss, {"logits": logits}) if return_outputs else loss


class Progress(TrainerCallback):
    """Appends a row to progress.jsonl at each logged step: step, steps, loss, rows/s, seconds left."""

    def __init__(self, path: Path, rows_per_step: int) -> None:
        self.path, self.rows_per_step = path, rows_per_step
        self.started, self.first_step = time.monotonic(), 0

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.started, self.first_step = time.monotonic(), state.global_step

    def on_log(self, args: Any, state: Any, control: Any, logs: dict | None = None, **_: Any) -> None:
        if not logs or "loss" not in logs:
            return
        loss = float(logs["loss"])
        done, seconds = state.global_step - self.first_step, time.monotonic() - self.started
        per_step = seconds / max(done, 1)
        row = {
            "step": state.global_step,
            "steps": state.max_steps,
            "epoch": round(state.epoch or 0, 3),
            "loss": round(loss, 5),
            "rows_per_s": round(self.rows_per_step / per_step, 1),
            "eta_s": round((state.max_steps - state.global_step) * per_step, 1),
        }
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        if not math.isfinite(loss):
            raise TrainingError(f"The loss became {loss} at step {state.global_step}; lower the learning rate.")


def make_trainer(
    folder: Path,
    model: torch.nn.Module,
    task: Task,
    dataset: Rows,
    recipe: Recipe,
    tokenizer: Any,
    device: torch.device,
    bf16: bool,
) -> RowTrainer:
    rows_per_step = recipe.batch_size * recipe.accumulation
    steps = recipe.steps(len(dataset))
    arguments = TrainingArguments(
        output_dir=str(folder / "checkpoints"),
        max_steps=steps,
        per_device_train_batch_size=recipe.batch_size,
        gradient_accumulation_steps=recipe.accumulation,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=recipe.warmup_share,
        weight_decay=recipe.weight_decay,
        bf16=bf16,
        use_cpu=device.type == "cpu",
        seed=recipe.seed,
        remove_unused_columns=False,
        dataloader_pin_memory=device.type == "cuda",
        save_strategy="steps" if steps > CHECKPOINT_STEPS else "no",
        save_steps=CHECKPOINT_STEPS,
        save_total_limit=1,
        logging_steps=max(1, steps // 200),
        logging_first_step=True,
        logging_nan_inf_filter=False,  # it would log 0 for NaN, and Progress would not stop the run
        disable_tqdm=True,
        report_to=[],
    )
    trainer = RowTrainer(
        task=task,
        recipe=recipe,
        model=model,
        args=arguments,
        train_dataset=dataset,
        data_collator=lambda items: hide_words(collate_rows(items, tokenizer.pad_token_id), recipe, tokenizer),
        callbacks=[Progress(folder / "progress.jsonl", rows_per_step)],
    )
    return trainer


def latest_checkpoint(folder: Path) -> str | None:
    from transformers.trainer_utils import get_last_checkpoint

    return get_last_checkpoint(str(folder)) if folder.is_dir() else None


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: python -m models.training FOLDER [auto|cpu|cuda]")
    train(Path(sys.argv[1]), *sys.argv[2:3])
