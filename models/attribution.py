"""Which words made the model say a label: by gradients at the word embeddings, or by leaving words out."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch

from data.tasks import Example
from models.inputs import collate, encode
from models.predictor import Predictor

STEPS = 32
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
    label: int
    segments: list[list[WordScore]]
    """The words of each text that the model read: one list, or two for a pair."""
    total: float
    """The label's logit minus its logit on the empty baseline; the tokens' scores sum to it (completeness)."""
    attributed: float
    """The sum of all tokens' scores, markers included; how far it is from `total` is the method's error."""


class _Question:
    """The logit of one label (or choice) of one example, as a function of token ids."""

    def __init__(self, predictor: Predictor, example: Example, label: int) -> None:
        task = predictor.task
        names = task.label_names(example)
        if not 0 <= label < len(names):
            raise ValueError(f"Expected as label an index from 0 to {len(names) - 1}; found {label}.")
        self.predictor, self.label = predictor, label
        self.tokenizer = predictor.checkpoint.tokenizer
        self.max_tokens = min(MAX_TOKENS, predictor.checkpoint.max_tokens)
        self.is_choice = not task.labels
        self.column = 0 if self.is_choice else (predictor.checkpoint.label_order or [])[label]
        self.pair = task.text_pairs(example)[label if self.is_choice else 0]
        encoded = encode(self.tokenizer, task, [example], self.max_tokens)[0]
        batch = collate([encoded], self.tokenizer.pad_token_id)
        row = label if self.is_choice else 0
        self.batch = {k: v[[row]].to(predictor.device) for k, v in batch.items() if k != "group_sizes"}
        self.ids = self.batch.pop("input_ids")

    def baseline(self) -> torch.Tensor:
        """The same input with every word replaced by the padding token."""
        special = self.tokenizer.get_special_tokens_mask(self.ids[0].tolist(), already_has_special_tokens=True)
        kept = torch.tensor(special, dtype=torch.bool, device=self.ids.device)
        return torch.where(kept, self.ids[0], self.tokenizer.pad_token_id).unsqueeze(0)

    def logit(self, input_ids: torch.Tensor) -> torch.Tensor:
        return self.logit_of(
            {"input_ids": input_ids, **{k: v.expand(len(input_ids), -1) for k, v in self.batch.items()}}
        )

    def logit_of(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        if self.is_choice:
            inputs = {name: value.unsqueeze(1) for name, value in inputs.items()}
        return self.predictor.model(**inputs).logits[:, self.column]

    def attribution(self, scores: torch.Tensor, total: float) -> Attribution:
        """From scores of shape (token, ...)."""
        scores = scores.reshape(-1, scores.shape[-1])[: self.ids.shape[1]].sum(-1).detach().cpu()
        words = _words(self.tokenizer, self.pair, scores, self.max_tokens)
        return Attribution(self.label, words, total, float(scores.sum()))

    def distance(self) -> float:
        """The label's logit minus that on the baseline."""
        with torch.no_grad():
            return float(self.logit(self.ids) - self.logit(self.baseline()))


def integrated_gradients(predictor: Predictor, example: Example, label: int, steps: int = STEPS) -> Attribution:
    """Integrated gradients (Sundararajan et al. 2017) of a label's logit, by captum, summed over each word.

    The path starts at the same input with every word replaced by the padding token. For choices, the words
    read are those of the pair of the choice asked about. Texts over 256 tokens are cut. Raises ValueError.
    """
    from captum.attr import LayerIntegratedGradients

    question = _Question(predictor, example, label)
    method = LayerIntegratedGradients(question.logit, predictor.model.get_input_embeddings())
    with predictor.lock:
        scores = method.attribute(question.ids, baselines=question.baseline(), n_steps=steps, internal_batch_size=16)
        return question.attribution(scores, question.distance())


def gradient_x_input(predictor: Predictor, example: Example, label: int) -> Attribution:
    """The gradient of a label's logit at the embeddings times them (Shrikumar et al. 2017), summed over each word.

    One backward pass; unlike integrated gradients the scores do not sum to the logit. Raises ValueError.
    """
    from captum.attr import LayerGradientXActivation

    question = _Question(predictor, example, label)
    method = LayerGradientXActivation(question.logit, predictor.model.get_input_embeddings())
    with predictor.lock:
        return question.attribution(method.attribute(question.ids), question.distance())


def leave_one_out(predictor: Predictor, example: Example, label: int) -> Attribution:
    """For each word how far a label's logit falls where it is left out of its text. Raises ValueError."""
    question = _Question(predictor, example, label)
    texts = [text for text in question.pair if text is not None]
    starts = [[*_word_starts(text), len(text)] for text in texts]
    pairs = [question.pair]
    for number, text in enumerate(texts):
        for begin, end in pairwise(starts[number]):
            left = [text[:begin] + text[end:] if i == number else other for i, other in enumerate(texts)]
            pairs.append((left[0], left[1] if len(left) > 1 else None))
    logits = []
    for start in range(0, len(pairs), LEFT_OUT_BATCH):
        first, second = zip(*pairs[start : start + LEFT_OUT_BATCH], strict=True)
        batch = question.tokenizer(
            list(first),
            None if second[0] is None else list(second),
            truncation="longest_first",
            max_length=question.max_tokens,
            padding=True,
            return_tensors="pt",
        )
        with predictor.lock, torch.inference_mode():
            logits += question.logit_of({k: v.to(predictor.device) for k, v in batch.items()}).tolist()
    falls = iter(logits[0] - without for without in logits[1:])
    segments = [
        [WordScore(text[begin:end], next(falls)) for begin, end in pairwise(starts[number])]
        for number, text in enumerate(texts)
    ]
    with predictor.lock:
        total = question.distance()
    return Attribution(label, segments, total, sum(word.score for words in segments for word in words))


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
