"""Token classification: a tag for each word of a text, and the spans that the likeliest valid tags say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from data.tasks import Example
from data.tasks.spans import OUTSIDE, Span, Spans, SpanTask, spans_of, tags_of
from models.heads import Head, Place, Reading
from models.inputs import Batch, pad, pad_id
from models.predictions import Prediction

UNSCORED = -100
"""The target of a place that holds no word."""


@dataclass(frozen=True)
class EncodedWords:
    """A text as token ids, with each word's first token and its characters."""

    input_ids: list[int]
    token_type_ids: list[int] | None
    first_tokens: list[int]
    words: list[tuple[int, int]]
    tokens_dropped: int

    @property
    def length(self) -> int:
        return len(self.input_ids)

    @property
    def labels(self) -> int:
        """How many words are tagged."""
        return len(self.words)


@dataclass(frozen=True)
class SpanPrediction(Prediction):
    """The likeliest tags that are valid (no span goes on that did not begin), as spans."""

    spans: Spans
    words: list[tuple[int, int]]
    tags: tuple[str, ...]
    log_p: np.ndarray
    """Shape (word, tag)."""

    @property
    def label(self) -> Spans:
        return self.spans

    def nearly(self, text: str, count: int = 5, least: float = 0.02) -> list[tuple[Span, float]]:
        """Words outside of all spans, each as a span of its likeliest type with how likely that is, likeliest first.

        At most `count`, and none that is less likely than `least`.
        """
        found = []
        for (start, end), row in zip(self.words, np.exp(self.log_p), strict=True):
            if any(_meet((start, end), span) for span in self.spans) or not text[start:end].isalnum():
                continue
            by_type: dict[str, float] = {}
            for tag, p in zip(self.tags, row.tolist(), strict=True):
                if tag != OUTSIDE:
                    by_type[tag[2:]] = by_type.get(tag[2:], 0.0) + p
            name = max(by_type, key=by_type.__getitem__)
            found.append((Span(start, end, name), by_type[name]))
        return sorted((one for one in found if one[1] >= least), key=lambda one: -one[1])[:count]

    def probability(self, label: Spans) -> float:
        """Of all words' tags together, as the model takes them to be independent."""
        columns = [self.tags.index(tag) for tag in tags_of(label, self.words)]
        return float(np.exp(self.log_p[np.arange(len(columns)), columns].sum()))


@dataclass(frozen=True)
class TokenHead(Head):
    """A tag for each word, read at its first token."""

    task: SpanTask
    order: tuple[int, ...]
    """For each of the task's tags the model's output."""
    case_types: bool
    """Whether segment ids tell words with a capital (1) from others (0), where the tokenizer lower-cases."""

    def encode(self, examples: Sequence[Example]) -> list[EncodedWords]:
        """A text that does not fit is cut from its end; the words that are cut off get no tag."""
        for example in examples:
            self.check_guidance(example)
        texts = [example[self.task.fields[0].name] for example in examples]
        if not texts:
            return []
        options = {"return_attention_mask": False, "return_offsets_mapping": True, "verbose": False}
        found = self.tokenizer(texts, truncation=True, max_length=self.max_tokens, **options)
        encoded = []
        for row, text in enumerate(texts):
            ids, offsets, numbers = found["input_ids"][row], found["offset_mapping"][row], found.word_ids(row)
            first_tokens, words = [], []
            for place, (number, (start, end)) in enumerate(zip(numbers, offsets, strict=True)):
                if number is None or start == end:
                    continue
                if place and number == numbers[place - 1] and words:
                    words[-1] = (words[-1][0], end)
                else:
                    first_tokens.append(place)
                    words.append((start, end))
            types = found["token_type_ids"][row] if "token_type_ids" in found else None
            if self.case_types:
                starts = {n: offsets[i][0] for i, n in reversed(list(enumerate(numbers))) if n is not None}
                types = [int(n is not None and text[starts[n] : starts[n] + 1].isupper()) for n in numbers]
            dropped = 0
            if len(ids) >= self.max_tokens:
                dropped = len(self.tokenizer(text, truncation=False, verbose=False)["input_ids"]) - self.max_tokens
            encoded.append(EncodedWords(ids, types, first_tokens, words, dropped))
        return encoded

    def collate(self, encoded: Sequence[EncodedWords]) -> Batch:
        ids, mask = pad([e.input_ids for e in encoded], pad_id(self.tokenizer))
        batch = {
            "input_ids": ids,
            "attention_mask": mask,
            "first_tokens": _padded([e.first_tokens for e in encoded], 0),
        }
        if encoded[0].token_type_ids is not None:
            batch["token_type_ids"] = pad([e.token_type_ids for e in encoded], 0)[0]
        return batch

    def logits(self, model: torch.nn.Module, batch: Batch) -> torch.Tensor:
        """Shape (example, word, tag), float32; what is past an example's last word means nothing."""
        inputs = {name: value for name, value in batch.items() if name != "first_tokens"}
        scores = model(**inputs).logits.float()[..., list(self.order)]
        places = batch["first_tokens"].unsqueeze(-1).expand(-1, -1, scores.shape[-1])
        return scores.gather(1, places)

    def targets(self, encoded: Sequence[EncodedWords], labels: Sequence[Spans]) -> torch.Tensor:
        """Shape (example, word): the right tag, `UNSCORED` past the last word."""
        tags = self.task.outputs
        rows = [[tags.index(t) for t in tags_of(label, e.words)] for e, label in zip(encoded, labels, strict=True)]
        return _padded(rows, UNSCORED)

    def prediction(self, logits: torch.Tensor, encoded: EncodedWords) -> SpanPrediction:
        return self._said(logits.log_softmax(-1).numpy(), encoded.words, encoded.tokens_dropped)

    def pool(self, parts: Sequence[tuple[int, SpanPrediction]], surest: bool) -> SpanPrediction:
        """The spans of the whole text: each word by the mean of the windows that read it, or by the surest of them.

        A window's first and last words may be cut, and stand whole in the window beside it.
        """
        rows: dict[tuple[int, int], list[np.ndarray]] = {}
        for number, (begin, said) in enumerate(parts):
            inner = slice(1 if number else 0, -1 if number < len(parts) - 1 else None)
            for (start, end), row in zip(said.words[inner], said.log_p[inner], strict=True):
                rows.setdefault((begin + start, begin + end), []).append(row)
        words = sorted(rows)
        pooled = [
            max(rows[word], key=np.max) if surest else np.logaddexp.reduce(rows[word]) - np.log(len(rows[word]))
            for word in words
        ]
        return self._said(np.reshape(pooled, (len(words), len(self.task.outputs))), words, 0)

    def _said(self, log_p: np.ndarray, words: list[tuple[int, int]], dropped: int) -> SpanPrediction:
        spans = spans_of([self.task.outputs[i] for i in best_path(log_p, self.task.outputs)], words)
        found = SpanPrediction([], dropped, spans, words, self.task.outputs, log_p)
        return replace(found, probabilities=[found.probability(spans)])

    def texts(self, example: Example, label: Spans) -> dict[str, str]:
        return {self.task.fields[0].title: example[self.task.fields[0].name]}

    def read(self, example: Example, label: Spans, texts: Sequence[str]) -> Reading:
        """Raises ValueError where a span lies in what is cut off."""
        (text,) = texts
        (encoded,) = self.encode([{self.task.fields[0].name: text}])
        found = self.tokenizer(text, truncation=True, max_length=self.max_tokens, return_offsets_mapping=True)
        places = [(0, start, end) if end > start else None for start, end in found["offset_mapping"]]
        asked = [0] * len(places)
        for span in label:
            firsts = [i for i, (a, b) in zip(encoded.first_tokens, encoded.words, strict=True) if _meet((a, b), span)]
            if not firsts:
                raise ValueError(
                    f"{text[span.start : span.end]!r:.60} lies beyond the first {self.max_tokens} tokens, which are "
                    "all that is explained. Shorten the text."
                )
            for place in firsts:
                asked[place] = 1 + self.task.types.index(span.label)
        return Reading(encoded.input_ids, places, encoded.token_type_ids, asked=asked)

    def read_without(self, example: Example, label: Spans, texts: Sequence[str], place: Place) -> Reading:
        """The characters' tokens stand as padding, capitals unseen, so that a span's own words can be left out."""
        reading = self.read(example, label, texts)
        out = [at is not None and place[1] <= at[1] and at[2] <= place[2] for at in reading.places]
        ids = [pad_id(self.tokenizer) if gone else token for gone, token in zip(out, reading.ids, strict=True)]
        types = reading.types and [0 if gone else kind for gone, kind in zip(out, reading.types, strict=True)]
        return replace(reading, ids=ids, types=types)

    def collate_readings(self, readings: Sequence[Reading]) -> Batch:
        return {**super().collate_readings(readings), "asked": pad([reading.asked for reading in readings], 0)[0]}

    def label_logits(self, model: torch.nn.Module, batch: Batch, label: Spans) -> torch.Tensor:
        """The log-odds of each span's type, summed over its words and over the spans."""
        inputs = {name: value for name, value in batch.items() if name != "asked"}
        scores = model(**inputs).logits.float()[..., list(self.order)]
        total = scores.new_zeros(len(scores))
        for number, name in enumerate(self.task.types, 1):
            of_type = [tag[2:] == name for tag in self.task.outputs]
            other = [not one for one in of_type]
            odds = scores[..., of_type].logsumexp(-1) - scores[..., other].logsumexp(-1)
            total = total + (odds * (batch["asked"] == number)).sum(-1)
        return total


def best_path(log_p: np.ndarray, tags: Sequence[str]) -> list[int]:
    """The likeliest tags, one for each row of `log_p` (word, tag), where an `I` follows a `B` or `I` of its type."""
    if not len(log_p):
        return []
    allowed = np.array([[_may_follow(before, tag) for tag in tags] for before in tags])
    banned = np.where(allowed, 0.0, -np.inf)
    score = log_p[0] + banned[tags.index(OUTSIDE)]
    back = []
    for row in log_p[1:]:
        steps = score[:, None] + banned
        back.append(steps.argmax(0))
        score = steps.max(0) + row
    path = [int(score.argmax())]
    for choices in reversed(back):
        path.append(int(choices[path[-1]]))
    return path[::-1]


def _meet(word: tuple[int, int], span: Span) -> bool:
    return span.start < word[1] and word[0] < span.end


def _may_follow(before: str, tag: str) -> bool:
    return not tag.startswith("I-") or before[1:] == tag[1:]


def _padded(rows: Sequence[Sequence[int]], filler: int) -> torch.Tensor:
    width = max(1, *(len(row) for row in rows))
    return torch.tensor([[*row, *[filler] * (width - len(row))] for row in rows])
