"""A causal language model's answer to a task: how likely each label's words are after a prompt.

An answer's score is the mean log-probability of its tokens after the prompt, less the same after the prompt with
empty slots (calibration: Holtzman et al. 2021, domain-conditional PMI), times the mean length of the answers, so that
answers of one length are scored by plain sums. What the answers of an example share is computed once.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

from data.tasks import Example
from data.tasks.template import Template
from models.heads import Head, Reading
from models.inputs import Batch, pad, pad_id

MOST_NUMBERS = 2**27
TOKENS_OF_ANSWERS = 40
"""Of one example, roughly."""


@dataclass(frozen=True)
class Answer:
    """A prompt and an answer as one sequence of tokens."""

    ids: tuple[int, ...]
    start: int
    """Where the answer begins; at least 1."""
    places: tuple[tuple[int, int], ...] = ()
    """Each token's characters in the prompt."""


@dataclass(frozen=True)
class Answers:
    """An example as token ids."""

    own: list[Answer]
    empty: list[Answer]
    """The same answers after the empty prompt; none where the template is not calibrated."""
    tokens_dropped: int

    @property
    def input_ids(self) -> list[tuple[int, ...]]:
        """The prompt with each answer."""
        return [answer.ids for answer in self.own]

    @property
    def labels(self) -> int:
        return len(self.own)

    @property
    def length(self) -> int:
        return max(len(answer.ids) for answer in self.own)


@dataclass(frozen=True)
class LikelihoodHead(Head):
    template: Template

    @property
    def most_rows(self) -> int:
        """A batch holds a number for each word of the vocabulary, at each token of each answer."""
        return max(1, MOST_NUMBERS // (len(self.tokenizer) * TOKENS_OF_ANSWERS))

    def encode(self, examples: Sequence[Example]) -> list[Answers]:
        """The longest field is cut from its end until prompt and answers fit.

        Raises ValueError where the template and the answers alone do not.
        """
        return [self._encode(example) for example in examples]

    def collate(self, encoded: Sequence[Answers]) -> Batch:
        """Each prefix once, and each continuation of it once, whichever examples and labels they belong to.

        `input_ids`, `attention_mask` (prefix, token); `rest_ids`, `rest_mask` (continuation, token), `prefix` and
        `start` (continuation,): its prefix and where its answer begins; `own`, `empty` (example, label): which
        continuation scores it, -1 for none.
        """
        prefixes: dict[tuple[int, ...], int] = {}
        rests: dict[tuple[int, tuple[int, ...], int], int] = {}

        def number(group: Sequence[Answer]) -> list[int]:
            shared = _shared(group)
            found = []
            for answer in group:
                prefix = prefixes.setdefault(answer.ids[:shared], len(prefixes))
                key = (prefix, answer.ids[shared:], answer.start - shared)
                found.append(rests.setdefault(key, len(rests)))
            return found

        width = max(e.labels for e in encoded)
        rows = {
            name: [(ids := number(getattr(e, name))) + [-1] * (width - len(ids)) for e in encoded]
            for name in ("own", "empty")
        }
        filler = pad_id(self.tokenizer)
        ids, mask = pad(list(prefixes), filler)
        rest_ids, rest_mask = pad([ids for _, ids, _ in rests], filler)
        return {
            "input_ids": ids,
            "attention_mask": mask,
            "rest_ids": rest_ids,
            "rest_mask": rest_mask,
            "prefix": torch.tensor([prefix for prefix, _, _ in rests]),
            "start": torch.tensor([start for _, _, start in rests]),
            **{name: torch.tensor(numbers) for name, numbers in rows.items()},
        }

    def logits(self, model: torch.nn.Module, batch: Batch) -> torch.Tensor:
        sums, counts = score_continuations(model, batch)
        means = sums / counts
        own, empty = batch["own"], batch["empty"]
        there = own >= 0
        scores = means[own.clamp_min(0)]
        if self.template.calibrated:
            scores = scores - means[empty.clamp_min(0)]
        lengths = counts[own.clamp_min(0)].masked_fill(~there, 0)
        scores = scores * (lengths.sum(1) / there.sum(1)).unsqueeze(1)
        return scores.masked_fill(~there, float("-inf"))

    def texts(self, example: Example, label: int) -> dict[str, str]:
        fields = [field for field in self.task.fields if field.kind == "text" and example[field.name]]
        found = {field.title: example[field.name] for field in fields}
        return found if self.task.labels else {**found, "Choice": example["choices"][label]}

    def read(self, example: Example, label: int, texts: Sequence[str]) -> Reading:
        names = [field.name for field in self.task.fields if field.kind == "text" and example[field.name]]
        given = {**example, **dict(zip(names, texts, strict=False))}
        if not self.task.labels:
            given["choices"] = [texts[-1] if i == label else c for i, c in enumerate(example["choices"])]
        fitted, answers, _ = self._fit(given)
        prompt, spans = self.template.render(fitted)
        answer, lengths = answers[label], [len(one.ids) - one.start for one in answers]
        number = {spans[name]: i for i, name in enumerate(names) if name in spans}
        if not self.task.labels:
            end = len(prompt + self.template.continuations(self.task, fitted)[label])
            number[end - len(fitted["choices"][label]), end] = len(texts) - 1

        def place(begin: int, end: int) -> tuple[int, int, int] | None:
            for (first, last), text in number.items():
                if end > begin and end > first and begin < last:
                    return text, max(begin, first) - first, min(end, last) - first
            return None

        places = [place(*span) for span in answer.places]
        return Reading(list(answer.ids), places, answer=lengths[label], scale=sum(lengths) / len(lengths))

    def collate_readings(self, readings: Sequence[Reading]) -> Batch:
        batch = super().collate_readings(readings)
        lengths = batch["attention_mask"].sum(1)
        answers = torch.tensor([reading.answer for reading in readings])
        scale = torch.tensor([reading.scale for reading in readings])
        return {**batch, "targets": batch["input_ids"], "start": lengths - answers, "scale": scale}

    def label_logits(self, model: torch.nn.Module, batch: Batch, label: int) -> torch.Tensor:
        """As in `logits`, without the calibration: to the prompt's words it is a constant."""
        inputs = {name: value for name, value in batch.items() if name != "scale"}
        sums, counts = score_sequences(model, **inputs)
        return sums / counts * batch["scale"]

    def fit(self, example: Example) -> tuple[str, int]:
        """The prompt, cut to the model's window, and how many tokens that took away."""
        fitted, _, dropped = self._fit(example)
        return self.template.render(fitted)[0], dropped

    def _encode(self, example: Example) -> Answers:
        fitted, own, dropped = self._fit(example)
        words = self.template.continuations(self.task, fitted)
        blank = {**example, **{field.name: "" for field in self.task.fields if field.kind == "text"}}
        empty = self._tokenize(self.template.render(blank)[0], words) if self.template.calibrated else []
        return Answers(own, empty, dropped)

    def _tokenize(self, prompt: str, words: Sequence[str]) -> list[Answer]:
        """Prompt and words tokenized together, as the model would see them written."""
        encoding = self.tokenizer(
            [prompt + w for w in words], return_offsets_mapping=True, return_attention_mask=False, verbose=False
        )
        begin = self.begin()
        answers = []
        for ids, spans in zip(encoding["input_ids"], encoding["offset_mapping"], strict=True):
            count = len(ids)
            while count and spans[count - 1][1] == 0:  # an end marker is no word
                count -= 1
            start = next((i for i, (_, end) in enumerate(spans[:count]) if end > len(prompt)), count)
            head = () if start else begin
            nowhere = ((0, 0),) * len(head)
            answers.append(Answer((*head, *ids[:count]), start + len(head), (*nowhere, *map(tuple, spans[:count]))))
        return answers

    def begin(self) -> tuple[int, ...]:
        """What an empty prompt is: the token that begins a text, else the one that ends it."""
        for token in (self.tokenizer.bos_token_id, self.tokenizer.eos_token_id):
            if token is not None:
                return (token,)
        return (pad_id(self.tokenizer),)

    def _fit(self, example: Example) -> tuple[Example, list[Answer], int]:
        """The example, its longest field cut until prompt and answers fit; these; and how many tokens too many."""
        self.check_guidance(example)
        words = self.template.continuations(self.task, example)
        dropped = 0
        while True:
            answers = self._tokenize(self.template.render(example)[0], words)
            over = max(len(answer.ids) for answer in answers) - self.max_tokens
            if over <= 0:
                return example, answers, dropped
            dropped = dropped or over
            texts = {f.name: example[f.name] for f in self.task.fields if f.kind == "text"}
            name = max(texts, key=lambda field: len(texts[field]))
            if not texts[name]:
                raise ValueError(
                    f"The template and the answers alone take {over + self.max_tokens} tokens; the model reads "
                    f"{self.max_tokens}. Shorten the template or the choices."
                )
            spans = self.tokenizer(texts[name], return_offsets_mapping=True, add_special_tokens=False, verbose=False)[
                "offset_mapping"
            ]
            kept = max(0, len(spans) - over)
            example = {**example, name: texts[name][: spans[kept - 1][1] if kept else 0].rstrip()}


def _shared(group: Sequence[Answer]) -> int:
    """How many tokens all answers begin with, the last before an answer not counted."""
    if not group:
        return 0
    most = min(answer.start for answer in group) - 1
    first = group[0].ids
    while any(answer.ids[:most] != first[:most] for answer in group):
        most -= 1
    return most


def score_continuations(model: torch.nn.Module, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """For each continuation of `LikelihoodHead.collate` the sum of its answer's log-probabilities, and how many.

    Each prefix is computed once and its keys and values are read by all its continuations.
    """
    prefix, mask = batch["prefix"], batch["attention_mask"]
    rest, rest_mask = batch["rest_ids"], batch["rest_mask"]
    if getattr(model, "_is_stateful", False):  # state-space models have no keys to share
        return score_unshared(model, batch)
    width = mask.shape[1]
    seen = mask.clone()
    seen[:, 0] = 1  # a row of nothing but filling would be averaged over nothing
    places = torch.arange(width, device=mask.device).expand_as(mask)
    cache = model(
        **_accepted(model, input_ids=batch["input_ids"], attention_mask=seen, position_ids=places, logits_to_keep=1),
        use_cache=True,
    ).past_key_values
    cache.batch_select_indices(prefix)
    places = mask.sum(1)[prefix].unsqueeze(1) + rest_mask.cumsum(1) - 1  # filling stays within the window
    logits = model(
        **_accepted(
            model, input_ids=rest, attention_mask=torch.cat([mask[prefix], rest_mask], 1), position_ids=places
        ),
        past_key_values=cache,
        use_cache=True,
    ).logits
    return _sum_answers(logits, rest, rest_mask, batch["start"])


def score_unshared(model: torch.nn.Module, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """The same without sharing: each continuation with its prefix before it."""
    lengths = batch["attention_mask"].sum(1).tolist(), batch["rest_mask"].sum(1).tolist()
    rows = [
        [*batch["input_ids"][p, : lengths[0][p]].tolist(), *batch["rest_ids"][i, : lengths[1][i]].tolist()]
        for i, p in enumerate(batch["prefix"].tolist())
    ]
    ids, mask = (tensor.to(batch["prefix"].device) for tensor in pad(rows, 0))
    start = batch["attention_mask"].sum(1)[batch["prefix"]] + batch["start"]
    return score_sequences(model, ids, mask, ids, start)


def score_sequences(
    model: torch.nn.Module,
    input_ids: torch.Tensor,
    attention_mask: torch.Tensor,
    targets: torch.Tensor,
    start: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The sum of the log-probabilities of `targets` from `start` on in each row, and how many there are.

    Tensors of shape (row, token), `start` (row,). `targets` are the tokens, where `input_ids` may hide some of them.
    """
    places = torch.arange(input_ids.shape[1], device=input_ids.device).expand_as(input_ids)
    inputs = _accepted(model, input_ids=input_ids, attention_mask=attention_mask, position_ids=places)
    return _sum_answers(model(**inputs, use_cache=False).logits, targets, attention_mask, start)


def _sum_answers(
    logits: torch.Tensor, targets: torch.Tensor, mask: torch.Tensor, start: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    log_p = -F.cross_entropy(logits[:, :-1].float().transpose(1, 2), targets[:, 1:], reduction="none")
    place = torch.arange(1, targets.shape[1], device=targets.device)
    counted = (place >= start.unsqueeze(1)) & mask[:, 1:].bool()
    return log_p.masked_fill(~counted, 0.0).sum(1), counted.sum(1).clamp_min(1)


def _accepted(model: torch.nn.Module, **inputs: Any) -> dict[str, Any]:
    """Those of the inputs that the model's `forward` names: not every architecture takes positions."""
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    named = inspect.signature(inner.forward).parameters
    return {name: value for name, value in inputs.items() if name in named}
