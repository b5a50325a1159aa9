"""How a checkpoint answers a task: examples to token ids, token ids to one score a label, in the task's order.

Everything that asks a model something (predicting, training, attribution, blame) asks its head, so that a classifier,
a multiple-choice model and a language model are the same to it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from data.tasks import Example, Task
from data.tasks.base import GUIDANCE
from data.tasks.template import Claim, parse_claim, parse_template
from models.encoder import ENCODER
from models.folders import CheckpointError
from models.inputs import Batch, Encoded, collate, pad, pad_id, scatter_groups, window
from models.kinds import ENTAILED, ENTAILMENT, LIKELIHOOD, card_kind, output_names
from models.predictions import Prediction

Place = tuple[int, int, int]
"""Where a token stands: the text's number, and from which character to which."""


@dataclass(frozen=True)
class Reading:
    """What a model reads to score one label."""

    ids: list[int]
    places: list[Place | None]
    """For each token its place; None for markers and the words of a prompt."""
    types: list[int] | None = None
    answer: int = 0
    """So many of the last tokens are the answer whose likelihood is the score."""
    scale: float = 1.0
    """What the mean over the answer's tokens is multiplied by."""
    asked: list[int] | None = None
    """For each token what is asked of it, 0 for nothing, where a label is of some tokens alone."""


@dataclass(frozen=True)
class Head(ABC):
    task: Task
    tokenizer: Any
    max_tokens: int
    """Longer input is cut."""

    @property
    def most_rows(self) -> int:
        """More examples than this do not go into one batch."""
        return 1024

    @abstractmethod
    def encode(self, examples: Sequence[Example]) -> list[Any]:
        """Each example as token ids, with its `length`, `labels` (how many) and `tokens_dropped`."""

    @abstractmethod
    def collate(self, encoded: Sequence[Any]) -> Batch:
        """Encoded examples as one batch of tensors."""

    @abstractmethod
    def logits(self, model: torch.nn.Module, batch: Batch) -> torch.Tensor:
        """Shape (example, label), float32, in the order of the task's labels.

        Where choices differ in number, the columns past an example's last choice are minus infinity.
        """

    def targets(self, encoded: Sequence[Any], labels: Sequence[Any]) -> torch.Tensor:
        """The right labels as a loss takes them, shape (example,)."""
        return torch.tensor(labels)

    def prediction(self, logits: torch.Tensor, encoded: Any) -> Prediction:
        """What an example's logits, already divided by the temperature, say."""
        return Prediction(logits.softmax(-1).tolist(), encoded.tokens_dropped)

    def pool(self, parts: Sequence[tuple[int, Prediction]], surest: bool) -> Prediction:
        """One prediction from those of a long text's windows, each with the character it begins at.

        The mean of the windows' probabilities, or what the surest window says.
        """
        said = [prediction for _, prediction in parts]
        if surest:
            return Prediction(max(said, key=lambda one: one.confidence).probabilities, 0)
        columns = zip(*(one.probabilities for one in said), strict=True)
        return Prediction([sum(column) / len(said) for column in columns], 0)

    @abstractmethod
    def texts(self, example: Example, label: Any) -> dict[str, str]:
        """The texts that are read to score a label, by what a person calls them."""

    @abstractmethod
    def read(self, example: Example, label: Any, texts: Sequence[str]) -> Reading:
        """The label's tokens where `texts` stand for those that `self.texts` gave."""

    def read_without(self, example: Example, label: Any, texts: Sequence[str], place: Place) -> Reading:
        """`read` where the characters of one of the texts are left out."""
        number, begin, end = place
        left = [text[:begin] + text[end:] if i == number else text for i, text in enumerate(texts)]
        return self.read(example, label, left)

    @abstractmethod
    def label_logits(self, model: torch.nn.Module, batch: Batch, label: Any) -> torch.Tensor:
        """The label's logit for each reading of a batch, shape (reading,)."""

    def check_guidance(self, example: Example) -> None:
        """Raises ValueError where the guidance takes more than half of what the model reads."""
        if example.get(GUIDANCE):
            count = len(self.tokenizer(example[GUIDANCE], verbose=False)["input_ids"])
            if count > self.max_tokens // 2:
                raise ValueError(
                    f"Guidance: expected at most {self.max_tokens // 2} tokens, half of what this model reads; "
                    f"found {count}. Shorten it."
                )

    def collate_readings(self, readings: Sequence[Reading]) -> Batch:
        ids, mask = pad([r.ids for r in readings], pad_id(self.tokenizer))
        batch = {"input_ids": ids, "attention_mask": mask}
        if readings[0].types is not None:
            batch["token_type_ids"] = pad([r.types for r in readings], 0)[0]
        return batch


class PairHead(Head):
    """One or more text pairs an example, each read by itself."""

    @abstractmethod
    def pairs(self, example: Example) -> list[tuple[str, str | None]]: ...

    def encode(self, examples: Sequence[Example]) -> list[Encoded]:
        """The longer text of a pair is cut from its end until the pair fits."""
        groups = [self.guided_pairs(example) for example in examples]
        flat = [pair for group in groups for pair in group]
        if not flat:
            return []
        fits = self._tokenize(flat)
        types = fits.get("token_type_ids")
        encoded, start = [], 0
        for example, group in zip(examples, groups, strict=True):
            stop = start + len(group)
            ids = fits["input_ids"][start:stop]
            dropped = 0
            if max(len(i) for i in ids) >= self.max_tokens:
                dropped = max(self._token_count(*pair) for pair in group) - self.max_tokens
            count = len(self.task.label_names(example))
            encoded.append(Encoded(ids, types[start:stop] if types else None, dropped, count))
            start = stop
        return encoded

    def guided_pairs(self, example: Example) -> list[tuple[str, str | None]]:
        """The pairs with the example's guidance before each first text."""
        self.check_guidance(example)
        front = f"{example[GUIDANCE]} " if example.get(GUIDANCE) else ""
        return [(front + first, second) for first, second in self.pairs(example)]

    def collate(self, encoded: Sequence[Encoded]) -> Batch:
        return collate(encoded, pad_id(self.tokenizer))

    def read(self, example: Example, label: int, texts: Sequence[str]) -> Reading:
        pair = (texts[0], texts[1] if len(texts) > 1 else None)
        encoding = self._tokenize([pair], return_offsets_mapping=True)
        numbers = encoding.sequence_ids(0)
        places = [
            (number, *span) if number is not None and span[1] > span[0] else None
            for number, span in zip(numbers, encoding["offset_mapping"][0], strict=True)
        ]
        types = encoding.get("token_type_ids")
        return Reading(encoding["input_ids"][0], places, types[0] if types else None)

    def _tokenize(self, pairs: Sequence[tuple[str, str | None]], **options: Any) -> Any:
        seconds = [second for _, second in pairs]
        return self.tokenizer(
            [first for first, _ in pairs],
            seconds if any(second is not None for second in seconds) else None,
            truncation="longest_first",
            max_length=self.max_tokens,
            return_attention_mask=False,
            **options,
        )

    def _token_count(self, first: str, second: str | None) -> int:
        return len(self.tokenizer(first, second, truncation=False, verbose=False)["input_ids"])


@dataclass(frozen=True)
class ClassifierHead(PairHead):
    """Sequence classification: one pair an example, one output a label."""

    order: tuple[int, ...]
    """For each of the task's labels, the model's output."""

    def pairs(self, example: Example) -> list[tuple[str, str | None]]:
        return self.task.text_pairs(example)

    def logits(self, model: torch.nn.Module, batch: Batch) -> torch.Tensor:
        inputs = {name: value for name, value in batch.items() if name != "group_sizes"}
        return model(**inputs).logits.float()[:, list(self.order)]

    def texts(self, example: Example, label: int) -> dict[str, str]:
        titles = [field.title for field in self.task.fields]
        return {title: text for title, text in zip(titles, self.pairs(example)[0], strict=False) if text is not None}

    def label_logits(self, model: torch.nn.Module, batch: Batch, label: int) -> torch.Tensor:
        return model(**batch).logits[:, self.order[label]]


class GroupedHead(PairHead):
    """A pair for each label or choice, scored by itself."""

    def logits(self, model: torch.nn.Module, batch: Batch) -> torch.Tensor:
        inputs = {name: value for name, value in batch.items() if name != "group_sizes"}
        return scatter_groups(self.label_logits(model, inputs, 0).float(), batch["group_sizes"])


class ChoiceHead(GroupedHead):
    """Multiple choice: a pair for each choice, and one output."""

    def pairs(self, example: Example) -> list[tuple[str, str | None]]:
        return self.task.text_pairs(example)

    def texts(self, example: Example, label: int) -> dict[str, str]:
        context, choice = self.pairs(example)[label]
        return {"Context and question": context, "Choice": choice or ""}

    def label_logits(self, model: torch.nn.Module, batch: Batch, label: int) -> torch.Tensor:
        return model(**{name: value.unsqueeze(1) for name, value in batch.items()}).logits[:, 0]


@dataclass(frozen=True)
class EntailmentHead(GroupedHead):
    """An inference model: the text is the premise, and a hypothesis for each label says that it has it.

    The score is the logit of entailment, as zero-shot classification reads it (Yin et al. 2019).
    """

    claim: Claim
    output: int
    """The model's output for entailment."""

    def pairs(self, example: Example) -> list[tuple[str, str | None]]:
        text = self.claim.text(self.task, example)
        return [(text, hypothesis) for hypothesis in self.claim.hypotheses(self.task, example)]

    def texts(self, example: Example, label: int) -> dict[str, str]:
        text, hypothesis = self.pairs(example)[label]
        return {"Text": text, "Claim": hypothesis or ""}

    def label_logits(self, model: torch.nn.Module, batch: Batch, label: int) -> torch.Tensor:
        return model(**batch).logits[:, self.output]


def make_head(task: Task, card: dict[str, Any], config: Any, tokenizer: Any) -> Head:
    """The head of a loaded checkpoint, by its version's card. Raises CheckpointError."""
    limit = window(config, tokenizer)
    try:
        if card_kind(card) == LIKELIHOOD:
            from models.likelihood import LikelihoodHead

            return LikelihoodHead(task, tokenizer, limit, parse_template(task, card.get("template")))
        if card_kind(card) == ENTAILMENT:
            names = output_names(config, card.get("label_map"))
            output = next(i for i, name in names.items() if name == ENTAILED)
            return EntailmentHead(task, tokenizer, limit, parse_claim(task, card.get("template")), output)
    except ValueError as error:
        raise CheckpointError(str(error)) from None
    if task.head == "token_classification":
        from models.tokens import TokenHead

        shaped = card["base"] == ENCODER  # its tokenizer lower-cases, and its second segment stands idle
        return TokenHead(task, tokenizer, limit, label_order(task, config, card), shaped)
    if task.head == "multiple_choice":
        return ChoiceHead(task, tokenizer, limit)
    return ClassifierHead(task, tokenizer, limit, label_order(task, config, card))


def label_order(task: Task, config: Any, card: dict[str, Any]) -> tuple[int, ...]:
    """For each of the task's labels the model's output, mapped by name.

    `card["label_map"]` may name the model's labels ({"LABEL_0": "entailment"}). Raises CheckpointError.
    """
    found = output_names(config, card.get("label_map"))
    order = []
    for label in task.outputs:
        outputs = [i for i, name in found.items() if name == label.casefold()]
        if len(outputs) != 1 or len(found) != len(task.outputs):
            raise CheckpointError(
                f"Task {task.name!r} expects labels {', '.join(task.outputs)}; checkpoint {card['base']!r} has "
                f"{', '.join(map(str, config.id2label.values()))}. "
                "Pass --label-map or rename them in its config.json."
            )
        order.append(outputs[0])
    return tuple(order)


def narrow(head: Head, max_tokens: int) -> Head:
    """The same head that reads at most so many tokens."""
    return replace(head, max_tokens=min(max_tokens, head.max_tokens))
