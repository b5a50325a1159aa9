"""Examples as a model's inputs: one padded batch of text pairs, and its logits back per example."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from data.tasks import Example, Task


@dataclass(frozen=True)
class Encoded:
    """One example as token ids: a list of ids (and of segment ids) for each of its text pairs."""

    input_ids: list[list[int]]
    token_type_ids: list[list[int]] | None
    tokens_dropped: int
    """How many tokens of the longest pair did not fit."""

    @property
    def length(self) -> int:
        return max(len(ids) for ids in self.input_ids)


def window(config: Any, tokenizer: Any) -> int:
    """How many tokens the model reads, a multiple of 8, as `collate` pads.

    Rounding down also spares RoBERTa's two positions of 514 that are not for tokens.
    """
    positions = getattr(config, "max_position_embeddings", None) or 512
    return min(positions, tokenizer.model_max_length, 8192) // 8 * 8


def encode(tokenizer: Any, task: Task, examples: Sequence[Example], max_tokens: int) -> list[Encoded]:
    """The examples' token ids; the longer text of a pair is cut from its end until the pair fits."""
    pairs = [task.text_pairs(example) for example in examples]
    flat = [pair for group in pairs for pair in group]
    if not flat:
        return []
    seconds = [second for _, second in flat]
    paired = any(second is not None for second in seconds)
    fits = tokenizer(
        [first for first, _ in flat],
        seconds if paired else None,
        truncation="longest_first",
        max_length=max_tokens,
        return_attention_mask=False,
        return_overflowing_tokens=False,
    )
    types = fits.get("token_type_ids")
    encoded, start = [], 0
    for group in pairs:
        stop = start + len(group)
        ids = fits["input_ids"][start:stop]
        dropped = 0
        if max(len(i) for i in ids) >= max_tokens:
            dropped = max(_token_count(tokenizer, *pair) for pair in group) - max_tokens
        encoded.append(Encoded(ids, types[start:stop] if types else None, dropped))
        start = stop
    return encoded


def collate(encoded: Sequence[Encoded], pad_id: int, *, side: str = "right") -> dict[str, torch.Tensor]:
    """Padded tensors of shape (pair, token), and `group_sizes` of shape (example,): pairs an example."""
    rows = [ids for e in encoded for ids in e.input_ids]
    width = -(-max(len(ids) for ids in rows) // 8) * 8  # a multiple of 8 keeps the kernels' shapes few
    width = max(width, 8)

    def pad(values: list[int], filler: int) -> list[int]:
        fill = [filler] * (width - len(values))
        return values + fill if side == "right" else fill + values

    batch = {
        "input_ids": torch.tensor([pad(ids, pad_id) for ids in rows]),
        "attention_mask": torch.tensor([pad([1] * len(ids), 0) for ids in rows]),
        "group_sizes": torch.tensor([len(e.input_ids) for e in encoded]),
    }
    if encoded[0].token_type_ids is not None:
        batch["token_type_ids"] = torch.tensor([pad(t, 0) for e in encoded for t in e.token_type_ids])
    return batch


def example_logits(model: torch.nn.Module, task: Task, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Logits of shape (example, label), float32.

    Where choices differ in number, the columns past an example's last choice are minus infinity.
    """
    batch = dict(batch)
    sizes = batch.pop("group_sizes")
    if task.head == "sequence_classification":
        return model(**batch).logits.float()
    flat = model(**{name: value.unsqueeze(1) for name, value in batch.items()}).logits.float().flatten()
    return scatter_groups(flat, sizes)


def scatter_groups(flat: torch.Tensor, sizes: torch.Tensor) -> torch.Tensor:
    """One value a choice, shape (choice,), as rows of shape (example, most choices), padded with -inf."""
    filled = torch.arange(int(sizes.max()), device=flat.device) < sizes.to(flat.device).unsqueeze(1)
    return flat.new_full(filled.shape, float("-inf")).masked_scatter(filled, flat)


def _token_count(tokenizer: Any, first: str, second: str | None) -> int:
    return len(tokenizer(first, second, truncation=False, verbose=False)["input_ids"])
