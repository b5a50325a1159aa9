"""A text as words and the gaps between them, so that words can be looked at, replaced and put back."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache

from data.lexicon import closed, entries
from data.lexicon.forms import article

WORD = re.compile(r"\d(?:[\d.,:/-]*\d)?|[^\W\d_]+(?:[-'’][^\W\d_]+)*")
BREAK = re.compile(r"[.,;:!?()\"“”\[\]/…\n|]|\s[-–—]\s|--|—")
SENTENCE_END = re.compile(r"[.!?…\n]")
STEM_ENDING = re.compile(r"(?:ing|ed|es|er|est|ly|s)$")


@dataclass(frozen=True)
class Wording:
    """`gaps` has one element more than `words`; a possessive 's is a word of its own."""

    words: tuple[str, ...]
    gaps: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> Wording:
        words, gaps, end = [], [], 0
        for found in WORD.finditer(text):
            word, start = found.group(), found.start()
            gaps.append(text[end:start])
            end = found.end()
            head, tail = word[:-2], word[-2:].lower().replace("’", "'")
            if tail == "'s" and head and not is_class(word, "auxiliary"):
                words += [head, word[-2:]]
                gaps.append("")
            else:
                words.append(word)
        return cls(tuple(words), (*gaps, text[end:]))

    def __str__(self) -> str:
        return "".join(gap + word for gap, word in zip(self.gaps, (*self.words, ""), strict=True))

    def __len__(self) -> int:
        return len(self.words)

    @cached_property
    def low(self) -> tuple[str, ...]:
        return tuple(word.lower().replace("’", "'") for word in self.words)

    def before(self, index: int) -> str:
        """The word before, lower case; empty where punctuation or the text's start stands between."""
        return self.low[index - 1] if index > 0 and not self.breaks(index) else ""

    def after(self, index: int) -> str:
        """The word after, lower case; empty where punctuation or the text's end stands between."""
        return self.low[index + 1] if index + 1 < len(self) and not self.breaks(index + 1) else ""

    def breaks(self, index: int) -> bool:
        """Whether punctuation parts the word from the one before. The point of "Dr." does not."""
        gap = self.gaps[index]
        if gap.startswith(".") and index > 0 and is_class(self.words[index - 1], "title"):
            return False
        return bool(BREAK.search(gap)) or gap[:1] in ("'", "’") or gap[-1:] in ("'", "‘", "’")

    def ends_sentence(self, index: int) -> bool:
        """Whether a sentence ends before the word; true at both ends of the text."""
        return index in (0, len(self)) or (self.breaks(index) and bool(SENTENCE_END.search(self.gaps[index])))

    def replaced(self, changes: dict[int, str]) -> Wording:
        """With other words at those places, capitals as they were, and `a` or `an` put right before them."""
        words = list(self.words)
        for index, word in changes.items():
            words[index] = match_case(word, self.words[index])
        for index in changes:
            if self.before(index) in ("a", "an"):
                words[index - 1] = match_case(article(words[index]), _article_case(words, index))
        return Wording(tuple(words), self.gaps)

    def without(self, start: int, end: int) -> Wording:
        """Without the words from start to end - 1; the capital and `a` or `an` go over to what follows."""
        words = list(self.words[:start] + self.words[end:])
        gaps = list(self.gaps[: start + 1] + self.gaps[end + 1 :])
        if end == len(self):
            gaps = [*self.gaps[:start], self.gaps[-1]]
        if start < len(words):
            if self.ends_sentence(start):
                words[start] = words[start][:1].upper() + words[start][1:]
            if start and words[start - 1].lower() in ("a", "an"):
                words[start - 1] = match_case(article(words[start]), _article_case(words, start))
        return Wording(tuple(words), tuple(gaps))


def word_set(text: str) -> frozenset[str]:
    """The words of a line."""
    return frozenset(text.split())


@lru_cache(maxsize=200_000)
def is_class(word: str, *names: str) -> bool:
    """Whether a word is of one of those closed classes."""
    low = word.lower().replace("’", "'")
    return any(low in closed()[name] for name in names)


def match_case(word: str, model: str) -> str:
    """`word` with the capitals of `model`; a capital of its own (a name's) stays."""
    if len(model) > 1 and model.isupper():
        return word.upper()
    if model[:1].isupper():
        return word[:1].upper() + word[1:]
    return word


@lru_cache(maxsize=100_000)
def stems(word: str) -> frozenset[str]:
    """What the word may be a form of: its lemmas in the lexicon, or its crude stem."""
    low = word.lower().replace("’", "'")
    found = frozenset(entry.lemma.lower() for entry in entries(word))
    return found or frozenset({STEM_ENDING.sub("", low) if len(low) > 4 else low})


def _article_case(words: list[str], index: int) -> str:
    """Whose capitals the article before `index` takes: its own, or those of a word in capitals."""
    loud = len(words[index]) > 1 and words[index].isupper() and words[index - 1].isupper()
    return words[index] if loud else words[index - 1]
