"""Which words made the model say a label: integrated gradients over the word embeddings."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from data.tasks import Example
from models.inputs import collate, encode
from models.predictor import Predictor

STEPS = 32
MAX_TOKENS = 256


@dataclass(frozen=True)
class WordScore:
    text: str
    """A word with the white space before it, so that joining the words gives the text back."""
    score: float
    """How much the word adds to (or takes from) the label's logit."""


@dataclass(frozen=True)
class Attribution:
    label: int
    segments: list[list[WordScore]]
    """The words of each text that the model read: one list, or two for a pair."""
    total: float
    """The label's logit minus its logit on the empty baseline; the tokens' scores sum to it (completeness)."""
    attributed: float
    """The sum of all tokens' scores, markers included; how far it is from `total` is the method's error."""


def integrated_gradients(predictor: Predictor, example: Example, label: int, steps: int = STEPS) -> Attribution:
    """Integrated gradients (Sundararajan et al. 2017) of a label's logit, by captum, summed over each word.

    The path starts at the same input with every word replaced by the padding token. For choices, the words
    read are those of the pair of the choice asked about. Texts over 256 tokens are cut. Raises ValueError.
    """
    from captum.attr import LayerIntegratedGradients

    task = predictor.task
    names = task.label_names(example)
    if not 0 <= label < len(names):
        raise ValueError(f"Expected as label an index from 0 to {len(names) - 1}; found {label}.")
    checkpoint = predictor.checkpoint
    tokenizer = checkpoint.tokenizer
    max_tokens = min(MAX_TOKENS, checkpoint.max_tokens)
    encoded = encode(tokenizer, task, [example], max_tokens)[0]
    is_choice = not task.labels
    pair = task.text_pairs(example)[label if is_choice else 0]
    batch = collate([encoded], tokenizer.pad_token_id)
    batch = {k: v[[label if is_choice else 0]].to(predictor.device) for k, v in batch.items() if k != "group_sizes"}
    ids = batch.pop("input_ids")
    special = torch.tensor(
        tokenizer.get_special_tokens_mask(ids[0].tolist(), already_has_special_tokens=True), dtype=torch.bool
    )
    baseline = torch.where(special.to(ids.device), ids[0], tokenizer.pad_token_id).unsqueeze(0)
    column = 0 if is_choice else (checkpoint.label_order or [])[label]

    def logit(input_ids: torch.Tensor) -> torch.Tensor:
        inputs = {"input_ids": input_ids, **{k: v.expand(len(input_ids), -1) for k, v in batch.items()}}
        if is_choice:
            inputs = {k: v.unsqueeze(1) for k, v in inputs.items()}
        return predictor.model(**inputs).logits[:, column]

    method = LayerIntegratedGradients(logit, predictor.model.get_input_embeddings())
    with predictor.lock:
        with torch.no_grad():
            total = float(logit(ids) - logit(baseline))
        scores = method.attribute(ids, baselines=baseline, n_steps=steps, internal_batch_size=16)
    scores = scores.reshape(-1, scores.shape[-1])[: ids.shape[1]].sum(-1).cpu()
    return Attribution(label, _words(tokenizer, pair, scores, max_tokens), total, float(scores.sum()))


def _words(
    tokenizer: object, pair: tuple[str, str | None], scores: torch.Tensor, max_tokens: int
) -> list[list[WordScore]]:
    """Tokens' scores summed over white-space words, for each text of the pair."""
    encoding = tokenizer(*pair, truncation="longest_first", max_length=max_tokens, return_offsets_mapping=True)
    sequence_ids = encoding.sequence_ids()
    segments = []
    for number, text in enumerate(t for t in pair if t is not None):
        starts = _word_starts(text)
        sums = [0.0] * len(starts)
        for i, (begin, end) in enumerate(encoding["offset_mapping"]):
            if sequence_ids[i] == number and end > begin:
                word = max(k for k, start in enumerate(starts) if start <= begin or k == 0)
                sums[word] += float(scores[i])
        stops = [*starts[1:], len(text)]
        segments.append([WordScore(text[a:b], s) for a, b, s in zip(starts, stops, sums, strict=True)])
    return segments


def _word_starts(text: str) -> list[int]:
    """Where each word begins, the white space before it included."""
    starts = [0]
    for i in range(1, len(text)):
        if text[i].isspace() and not text[i - 1].isspace() and text[starts[-1] : i].strip():
            starts.append(i)
    return starts
