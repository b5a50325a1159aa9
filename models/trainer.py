"""Hugging Face's Trainer with this project's loss, adversarial step and progress file."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from transformers import Trainer, TrainerCallback, TrainingArguments

from models.adapters import has_singular_values
from models.anchoring import Anchor
from models.batches import Rows, TrainingError, collate_rows, hide_words, to_device
from models.distributed import leads, share
from models.heads import Head
from models.recipe import Recipe
from models.resuming import Checkpoints, SeededLengths

BATCH = 64
LEAST_FALL = 0.01
"""A loss (nats) that fell by less has not fallen."""
SWINGS = 0.75
"""For this share of a run's steps the rate is so high that the loss on twins swings: no check counts yet. What a
lucky one of them leaves behind are weights that have not settled. Then the run is anchored, and settles."""
PLAIN = Recipe()


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


def batch_loss(
    logits: torch.Tensor,
    labels: torch.Tensor,
    weights: torch.Tensor,
    teacher: torch.Tensor | None,
    recipe: Recipe,
    unmarked: torch.Tensor | None = None,
) -> torch.Tensor:
    """`loss_of` a batch; of spans over its words, each with its text's weight."""
    if logits.ndim == 3:
        if unmarked is not None:
            logits = logits.masked_fill(unmarked.unsqueeze(1), float("-inf"))
        scored = labels >= 0
        weights = weights.unsqueeze(1).expand_as(labels)[scored]
        teacher = None if teacher is None else teacher[scored]
        logits, labels = logits[scored], labels[scored]
    return loss_of(logits, labels, weights, teacher, recipe)


class RowTrainer(Trainer):
    """Hugging Face's Trainer with this project's loss for rows of any head."""

    def __init__(self, *, head: Head, recipe: Recipe, checkpoints: Checkpoints, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.head, self.recipe, self.checkpoints = head, recipe, checkpoints
        self.model_accepts_loss_kwargs = False

    def _get_train_sampler(self, train_dataset: Any = None) -> SeededLengths:
        lengths = [e.length for e in self.train_dataset.encoded]
        batch_size = self.args.train_batch_size * self.args.gradient_accumulation_steps
        pairs = [row["pair"] for row in self.train_dataset.rows]
        return SeededLengths(batch_size, lengths, self.args.seed, pairs)

    def training_step(self, model: Any, inputs: dict[str, Any], *more: Any, **named: Any) -> torch.Tensor:
        """A step on the batch, some of its words hidden where the recipe asks for it. Raises TrainingError on NaN."""
        inputs = hide_words(dict(inputs), self.recipe, self.head.tokenizer)
        loss = self._step(model, inputs, *more, **named)
        if not torch.isfinite(loss):
            texts = self.head.tokenizer.batch_decode(inputs["input_ids"][:8], skip_special_tokens=True)
            shown = "\n".join(f"  {text[:200]}" for text in texts)
            raise TrainingError(
                f"The loss became {loss.item()} at step {self.state.global_step + 1}; lower the learning rate, or "
                f"look at the rows of its batch:\n{shown}"
            )
        return loss

    def _step(self, model: Any, inputs: dict[str, Any], *more: Any, **named: Any) -> torch.Tensor:
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
        pushes = iter([self._push(output.grad) for output in seen])  # a head may read a batch in parts
        handle = words.register_forward_hook(lambda _module, _inputs, output: output + next(pushes))
        try:
            return (loss + super().training_step(model, dict(inputs), *more, **named)) / 2
        finally:
            handle.remove()

    def _push(self, gradient: torch.Tensor) -> torch.Tensor:
        length = gradient.flatten(1).norm(dim=1).clamp_min(1e-12).view(-1, 1, 1)
        return self.recipe.adversarial * gradient / length

    def compute_loss(
        self, model: Any, inputs: dict[str, torch.Tensor], return_outputs: bool = False, **_: Any
    ) -> Any:
        inputs = dict(inputs)
        labels, weights = inputs.pop("labels"), inputs.pop("weights")
        teacher = inputs.pop("teacher", None)
        unmarked = inputs.pop("unmarked", None)
        logits = self.head.logits(model, inputs)
        loss = batch_loss(logits, labels, weights, teacher, self.recipe, unmarked)
        return (loss, {"logits": logits}) if return_outputs else loss


class Ranks(TrainerCallback):
    """Lets AdaLoRA share out its ranks after each step of the optimizer, while the gradients are there."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def on_optimizer_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.model.base_model.update_and_allocate(state.global_step)


class Anchoring(TrainerCallback):
    """Anchors the model to its parent while there are steps left for it to settle."""

    def __init__(self, anchor: Anchor) -> None:
        self.anchor = anchor

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == math.ceil(SWINGS * state.max_steps):
            self.anchor.apply()


class EarlyStopping(TrainerCallback):
    """Ends a run whose loss on held-out twins no longer falls in its last quarter; the best check's weights count.

    Kept in memory: an adapter is small, and a check then costs no more than its forward passes.
    """

    def __init__(self, model: torch.nn.Module, measure: Callable[[], float], recipe: Recipe) -> None:
        self.model, self.measure, self.recipe = model, measure, recipe
        self.best, self.waited, self.loss = math.inf, 0, None
        self.weights: list[torch.Tensor] = []
        """Of the best check."""

    def trained(self) -> list[torch.Tensor]:
        return [p for p in self.model.parameters() if p.requires_grad]

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        last = state.global_step >= state.max_steps
        if state.global_step % self.recipe.check_steps and not last:
            return
        self.loss = self.measure()
        if state.global_step < SWINGS * state.max_steps:
            return
        if self.loss < self.best - LEAST_FALL:
            self.best, self.waited = self.loss, 0
            self.weights = [p.detach().clone() for p in self.trained()]
            return
        self.waited += 1
        control.should_training_stop |= self.waited >= self.recipe.patience

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self.weights:
            with torch.no_grad():
                for parameter, best in zip(self.trained(), self.weights, strict=True):
                    parameter.copy_(best)


def twins_loss(model: Any, head: Head, twins: Rows, device: torch.device, bf16: bool) -> float:
    """Mean cross-entropy on rows that are not trained on, in nats."""
    order = sorted(range(len(twins)), key=lambda i: twins.encoded[i].length)
    total, mode = 0.0, model.training
    model.eval()
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        size = min(BATCH, head.most_rows)
        for start in range(0, len(order), size):
            batch = to_device(collate_rows([twins[i] for i in order[start : start + size]], head), device)
            labels, weights, unmarked = batch.pop("labels"), batch.pop("weights"), batch.pop("unmarked", None)
            logits = head.logits(model, batch)
            total += float(batch_loss(logits, labels, torch.ones_like(weights), None, PLAIN, unmarked)) * len(labels)
    model.train(mode)
    return total / len(twins)


class Progress(TrainerCallback):
    """Appends a row to progress.jsonl at each logged step: step, steps, loss, rows/s, seconds left.

    Where the run is checked against held-out twins, also the last check's loss on them.
    """

    def __init__(self, path: Path, rows_per_step: int, early: EarlyStopping | None) -> None:
        self.path, self.rows_per_step, self.early = path, rows_per_step, early
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
        if self.early and self.early.loss is not None:
            row["twins_loss"] = round(self.early.loss, 5)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


def make_trainer(
    folder: Path,
    model: torch.nn.Module,
    head: Head,
    dataset: Rows,
    recipe: Recipe,
    device: torch.device,
    bf16: bool,
    twins: Rows | None,
    anchor: Anchor,
    checkpoints: Callable[..., Checkpoints],
) -> RowTrainer:
    """`twins`: rows that are not trained on, for a recipe with patience; `checkpoints` makes what keeps the run."""
    rows_per_step = recipe.batch_size * recipe.accumulation
    early = None
    if twins is not None:
        early = EarlyStopping(model, lambda: twins_loss(model, head, twins, device, bf16), recipe)
    steps = recipe.steps(len(dataset))
    arguments = TrainingArguments(
        output_dir=str(folder / "checkpoints"),
        max_steps=steps,
        per_device_train_batch_size=share(recipe.batch_size),
        gradient_accumulation_steps=recipe.accumulation,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=recipe.warmup_share,
        weight_decay=recipe.weight_decay,
        adam_beta1=recipe.beta1,
        adam_beta2=recipe.beta2,
        bf16=bf16,
        use_cpu=device.type == "cpu",
        seed=recipe.seed,
        remove_unused_columns=False,
        dataloader_pin_memory=device.type == "cuda",
        save_strategy="no",  # `Checkpoints` says when
        save_total_limit=2,  # the older one counts until the newer is whole
        logging_steps=max(1, steps // 200),
        logging_first_step=True,
        logging_nan_inf_filter=False,  # it would log 0 for NaN, and Progress would not stop the run
        disable_tqdm=True,
        report_to=[],
    )
    callbacks: list[TrainerCallback] = [Ranks(model)] if has_singular_values(model) else []
    callbacks.append(Anchoring(anchor))
    callbacks += [early] if early else []
    keeper = checkpoints(early=early)
    callbacks.append(keeper)
    if leads():
        callbacks.append(Progress(folder / "progress.jsonl", rows_per_step, early))
    return RowTrainer(
        head=head,
        recipe=recipe,
        checkpoints=keeper,
        model=model,
        args=arguments,
        train_dataset=dataset,
        data_collator=lambda items: collate_rows(items, head),
        callbacks=callbacks,
    )
