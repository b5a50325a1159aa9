"""Which words made the model say a label: by gradients at the word embeddings, or by leaving words out."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch

from data.tasks import Example
from models.heads import Reading, narrow
from models.inputs import Batch, pad_id
from models.predictor import Predictor

STEPS, MOST_STEPS = 32, 256
TOLERANCE, SMALLEST = 0.05, 0.02
"""How far the scores' sum may be from the difference of logits: that share of it, or so many logits."""
MAX_TOKENS = 256
LEFT_OUT_BATCH = 32


@dataclass(frozen=True)
class WordScore:
    text: str
    """A word with the white space before it, so that joining the words gives the text back."""
    score: float
    """How much the word adds to (or takes from) the label's logit."""


@dataclass(frozen=True)
class Attribution:
    label: Any
    titles: list[str]
    """What a person calls each text."""
    segments: list[list[WordScore]]
    """The words of each text that the model read."""
    total: float
    """The label's logit minus its logit on the empty baseline; the tokens' scores sum to it (completeness)."""
    attributed: float
    """The sum of all tokens' scores, markers included; how far it is from `total` is the method's error."""

    @property
    def is_complete(self) -> bool:
        """Whether the scores sum to `total` within 5 % (or 0.02 logits, where that is more)."""
        return abs(self.attributed - self.total) <= max(TOLERANCE * abs(self.total), SMALLEST)


class _Question:
    """The logit of one label (choice, or span) of one example, as a function of token ids."""

    def __init__(self, predictor: Predictor, example: Example, label: Any) -> None:
        predictor.task.check_label(label, example)
        self.predictor, self.example, self.label = predictor, example, label
        self.head = narrow(predictor.head, MAX_TOKENS)
        self.texts = self.head.texts(example, label)
        self.reading = self.head.read(example, label, list(self.texts.values()))
        self.batch = self.batch_of([self.reading])
        self.ids = self.batch.pop("input_ids")

    def batch_of(self, readings: list[Reading]) -> Batch:
        return {k: v.to(self.predictor.device) for k, v in self.head.collate_readings(readings).items()}

    def baseline(self) -> torch.Tensor:
        """The same input with every word replaced by the padding token."""
        width = self.ids.shape[1] - len(self.reading.places)
        places = [place is None for place in self.reading.places] + [True] * width
        kept = torch.tensor(places, device=self.ids.device)
        return torch.where(kept, self.ids[0], pad_id(self.head.tokenizer)).unsqueeze(0)

    def logit(self, input_ids: torch.Tensor) -> torch.Tensor:
        others = {name: value.expand(len(input_ids), *value.shape[1:]) for name, value in self.batch.items()}
        return self.logit_of({"input_ids": input_ids, **others})

    def logit_of(self, batch: Batch) -> torch.Tensor:
        return self.head.label_logits(self.predictor.model, batch, self.label)

    def attribution(self, scores: torch.Tensor, total: float) -> Attribution:
        """From scores of shape (token, ...)."""
        scores = scores.reshape(-1, scores.shape[-1])[: self.ids.shape[1]].sum(-1).detach().cpu()
        segments = []
        for number, text in enumerate(self.texts.values()):
            starts = _word_starts(text)
            sums = [0.0] * len(starts)
            for place, score in zip(self.reading.places, scores.tolist(), strict=False):
                if place is not None and place[0] == number:
                    sums[max(k for k, start in enumerate(starts) if start <= place[1])] += score
            stops = [*starts[1:], len(text)]
            segments.append([WordScore(text[a:b], s) for a, b, s in zip(starts, stops, sums, strict=True)])
        return Attribution(self.label, list(self.texts), segments, total, float(scores.sum()))

    def distance(self) -> float:
        """The label's logit minus that on the baseline."""
        with torch.no_grad():
            return float(self.logit(self.ids) - self.logit(self.baseline()))


def integrated_gradients(predictor: Predictor, example: Example, label: Any, steps: int = STEPS) -> Attribution:
    """Integrated gradients (Sundararajan et al. 2017) of a label's logit, by captum, summed over each word.

    The path starts at the same input with every word replaced by the padding token. It is taken in `steps`, and in
    twice as many (up to 256) until the scores sum to the difference of the logits within 5 %. For choices, the words
    read are those of the pair of the choice asked about. Texts over 256 tokens are cut. Raises ValueError.
    """
    from captum.attr import LayerIntegratedGradients

    question = _Question(predictor, example, label)
    method = LayerIntegratedGradients(question.logit, predictor.model.get_input_embeddings())
    with predictor.lock:
        total = question.distance()
        while True:
            scores = method.attribute(
                question.ids, baselines=question.baseline(), n_steps=steps, internal_batch_size=16
            )
            found = question.attribution(scores, total)
            if found.is_complete or steps >= MOST_STEPS:
                return found
            steps *= 2


def gradient_x_input(predictor: Predictor, example: Example, label: Any) -> Attribution:
    """The gradient of a label's logit at the embeddings times them (Shrikumar et al. 2017), summed over each word.

    One backward pass; unlike integrated gradients the scores do not sum to the logit. Raises ValueError.
    """
    from captum.attr import LayerGradientXActivation

    question = _Question(predictor, example, label)
    method = LayerGradientXActivation(question.logit, predictor.model.get_input_embeddings())
    with predictor.lock:
        return question.attribution(method.attribute(question.ids), question.distance())


def leave_one_out(predictor: Predictor, example: Example, label: Any) -> Attribution:
    """For each word how far a label's logit falls where it is left out of its text. Raises ValueError."""
    question = _Question(predictor, example, label)
    texts = list(question.texts.values())
    starts = [[*_word_starts(text), len(text)] for text in texts]
    readings = [question.reading]
    for number, places in enumerate(starts):
        for begin, end in pairwise(places):
            readings.append(question.head.read_without(example, label, texts, (number, begin, end)))
    logits = []
    size = min(LEFT_OUT_BATCH, question.head.most_rows)
    for start in range(0, len(readings), size):
        batch = question.batch_of(readings[start : start + size])
        with predictor.lock, torch.inference_mode():
            logits += question.logit_of(batch).tolist()
    falls = iter(logits[0] - without for without in logits[1:])
    segments = [
        [WordScore(text[begin:end], next(falls)) for begin, end in pairwise(starts[number])]
        for number, text in enumerate(texts)
    ]
    with predictor.lock:
        total = question.distance()
    attributed = sum(word.score for words in segments for word in words)
    return Attribution(label, list(question.texts), segments, total, attributed)


def _word_starts(text: str) -> list[int]:
    """Where each word begins, the white space before it included."""
    starts = [0]
    for i in range(1, len(text)):
        if text[i].isspace() and not text[i - 1].isspace() and text[starts[-1] : i].strip():
            starts.append(i)
    return starts
