"""Token ids as a padded batch, and one score a choice back as a row an example."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from models.device import tile

Batch = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Encoded:
    """One example as token ids: a list of ids (and of segment ids) for each of its text pairs."""

    input_ids: list[list[int]]
    token_type_ids: list[list[int]] | None
    tokens_dropped: int
    """How many tokens of the longest pair did not fit."""
    labels: int
    """How many labels or choices it is scored for."""

    @property
    def length(self) -> int:
        return max(len(ids) for ids in self.input_ids)


def window(config: Any, tokenizer: Any) -> int:
    """How many tokens the model reads, a multiple of 16, as `pad` fills up to on any machine.

    Rounding down also spares RoBERTa's two positions of 514 that are not for tokens.
    """
    positions = getattr(config, "max_position_embeddings", None) or 512
    return min(positions, tokenizer.model_max_length, 8192) // 16 * 16


def pad_id(tokenizer: Any) -> int:
    """What fills up a batch: the padding token; many language models have none, and any other will do."""
    for token in (tokenizer.pad_token_id, tokenizer.eos_token_id):
        if token is not None:
            return token
    return 0


def pad(rows: Sequence[Sequence[int]], filler: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The rows as one tensor of shape (row, token), filled up on the right, and the mask of what is no filling."""
    width = max(1, -(-max(map(len, rows)) // tile())) * tile()
    ids = torch.tensor([[*row, *[filler] * (width - len(row))] for row in rows])
    return ids, (torch.arange(width) < torch.tensor([len(row) for row in rows]).unsqueeze(1)).long()


def collate(encoded: Sequence[Encoded], filler: int) -> Batch:
    """Padded tensors of shape (pair, token), and `group_sizes` of shape (example,): pairs an example."""
    ids, mask = pad([ids for e in encoded for ids in e.input_ids], filler)
    batch = {
        "input_ids": ids,
        "attention_mask": mask,
        "group_sizes": torch.tensor([len(e.input_ids) for e in encoded]),
    }
    if encoded[0].token_type_ids is not None:
        batch["token_type_ids"] = pad([t for e in encoded for t in e.token_type_ids], 0)[0]
    return batch


def scatter_groups(flat: torch.Tensor, sizes: torch.Tensor) -> torch.Tensor:
    """One value a choice, shape (choice,), as rows of shape (example, most choices), padded with -inf."""
    filled = torch.arange(int(sizes.max()), device=flat.device) < sizes.to(flat.device).unsqueeze(1)
    return flat.new_full(filled.shape, float("-inf")).masked_scatter(filled, flat)
