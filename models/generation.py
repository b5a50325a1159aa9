"""What a language model would say next: the likeliest tokens at a place of a text, and texts sampled from there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from models.kinds import LIKELIHOOD, card_kind
from models.predictor import Predictor

MOST_TOKENS = 512


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen. Raises ValueError on a value that cannot work."""

    temperature: float = 1.0
    """0 is greedy: always the likeliest."""
    top_k: int = 0
    """Only among so many of the likeliest; 0: among all."""
    top_p: float = 1.0
    """Only among the likeliest that together have this probability (nucleus sampling, Holtzman et al. 2020)."""
    seed: int = 0
    max_tokens: int = 60

    def __post_init__(self) -> None:
        for name, low, high in (
            ("temperature", 0.0, 10.0),
            ("top_k", 0, 1_000_000),
            ("top_p", 0.01, 1.0),
            ("max_tokens", 1, MOST_TOKENS),
        ):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
                raise ValueError(f"Sampling, {name.replace('_', ' ')}: expected {low} to {high}; found {value!r}.")


@dataclass(frozen=True)
class NextToken:
    text: str
    probability: float


def can_speak(predictor: Predictor) -> bool:
    """Whether the version is a language model."""
    return card_kind(predictor.checkpoint.card) == LIKELIHOOD


def next_tokens(predictor: Predictor, text: str, count: int = 10, place: int | None = None) -> list[NextToken]:
    """The likeliest tokens after the first `place` tokens of the text (after all of it by default), likeliest first.

    Raises ValueError where the version is no language model.
    """
    ids = _encode(predictor, text)
    ids = ids if place is None else ids[: max(1, min(place, len(ids)))]
    with predictor.lock, torch.inference_mode():
        logits = predictor.model(torch.tensor([ids], device=predictor.device)).logits[0, -1].float()
    probabilities, best = logits.softmax(-1).topk(min(count, len(logits)))
    tokenizer = predictor.head.tokenizer
    return [
        NextToken(tokenizer.decode([token], clean_up_tokenization_spaces=False), probability)
        for token, probability in zip(best.tolist(), probabilities.tolist(), strict=True)
    ]


def token_texts(predictor: Predictor, text: str) -> list[str]:
    """The text's tokens as they read, in order. Raises ValueError where the version is no language model."""
    tokenizer = predictor.head.tokenizer
    return [tokenizer.decode([token], clean_up_tokenization_spaces=False) for token in _encode(predictor, text)]


def sample(predictor: Predictor, text: str, how: Sampling) -> Iterator[str]:
    """What the model goes on with, longer by a token each time, until it ends its text or has said `max_tokens`.

    The same seed says the same. The model is free for others between tokens. Raises ValueError where the version is
    no language model.
    """
    ids = _encode(predictor, text)[-(predictor.head.max_tokens - how.max_tokens) :]
    tokenizer, device = predictor.head.tokenizer, predictor.device
    generator = torch.Generator().manual_seed(how.seed)
    said: list[int] = []
    step, cache = torch.tensor([ids], device=device), None
    for _ in range(how.max_tokens):
        with predictor.lock, torch.inference_mode():
            output = predictor.model(step, past_key_values=cache, use_cache=True)
        token = choose(output.logits[0, -1].float().cpu(), how, generator)
        if token == tokenizer.eos_token_id:
            return
        said.append(token)
        yield tokenizer.decode(said, clean_up_tokenization_spaces=False)
        step, cache = torch.tensor([[token]], device=device), output.past_key_values


def choose(logits: torch.Tensor, how: Sampling, generator: torch.Generator) -> int:
    """A token, from logits of shape (word of the vocabulary,)."""
    if how.temperature == 0:
        return int(logits.argmax())
    probabilities, order = (logits / how.temperature).softmax(-1).sort(descending=True)
    if how.top_k:
        probabilities[how.top_k :] = 0
    before = probabilities.cumsum(-1) - probabilities
    probabilities[before >= how.top_p] = 0  # the first stays: nothing is before it
    return int(order[torch.multinomial(probabilities, 1, generator=generator)])


def _encode(predictor: Predictor, text: str) -> list[int]:
    if not can_speak(predictor):
        raise ValueError(
            f"Expected a causal language model; {predictor.version_id} is none and says nothing. "
            "Promote one in the Versions tab."
        )
    ids = predictor.head.tokenizer(text, verbose=False)["input_ids"] or list(predictor.head.begin())
    return ids[-predictor.head.max_tokens :]
