"""An example in other company: more said around it, and its label as before.

A model that sees a phenomenon in one kind of sentence only learns the kind of sentence. What is added says nothing
about the matter: somebody else's doings, a time, a place, another word order, a remark beside the point.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from data.lexicon import clash, entries, inflect, members
from data.tasks import Example, Task
from models import clauses
from models.slots import NAMES, PERSONS
from models.wording import Wording, stems, word_set

WHEN = (
    "yesterday",
    "last week",
    "on Friday",
    "in the evening",
    "after lunch",
    "that morning",
    "two days ago",
    "at noon",
    "before the concert",
    "during the storm",
)
WHERE = (
    "in the garden",
    "at the station",
    "in the kitchen",
    "near the bridge",
    "in the lobby",
    "outside the museum",
    "at the market",
    "behind the school",
    "in the library",
    "on the ferry",
)
SWEEPING = word_set(
    "everyone everybody everything nobody nothing noone none no only all every each any anyone anybody anything "
    "alone most many few several people person someone somebody something other others another else both neither "
    "either first last more fewer less than half same there"
)
"""Where a text speaks of people at large, one more of them may matter."""
ASIDES = (
    "I went there on a Tuesday.",
    "My brother came along.",
    "It was raining outside.",
    "We had read about it in the paper.",
    "A friend had told me about it.",
    "I am writing this on the train.",
    "We arrived a little before seven.",
    "My sister lives nearby.",
    "It was my second time.",
    "We took the bus there.",
    "I turned forty this year.",
    "There were about thirty of us.",
)
SCENES = (
    "It was a Tuesday.",
    "The radio was on.",
    "A neighbour walked past.",
    "It was late in March.",
    "Somebody was humming next door.",
    "The curtains were blue.",
)
SCENE_WORDS = word_set(
    "when day time date month hear sound noise colour color neighbour neighbor radio curtain curtains"
)
MOST_WORDS = 80


def dress(task: Task, example: Example, rng: random.Random) -> tuple[Example, str] | None:
    """The example in other company, and what was done; None where no rule fits. Its label stays."""
    ways = {"nli": _dress_nli, "sentiment": _dress_sentiment, "commonsense": _dress_commonsense}
    return ways[task.name](example, rng) if task.name in ways else None


def _dress_nli(example: Example, rng: random.Random) -> tuple[Example, str] | None:
    premise, hypothesis = Wording.of(example["premise"]), Wording.of(example["hypothesis"])
    if len(premise) + len(hypothesis) > MOST_WORDS:
        return None
    ways: list[Callable[[Wording, Wording, random.Random], tuple[str, str, str] | None]] = [
        _bystander,
        _adjunct,
        _moved,
        _cleft,
        _second_clause,
    ]
    rng.shuffle(ways)
    for way in ways:
        found = way(premise, hypothesis, rng)
        if found is not None:
            return {"premise": found[0], "hypothesis": found[1]}, found[2]
    return None


def _bystander(premise: Wording, hypothesis: Wording, rng: random.Random) -> tuple[str, str, str] | None:
    doing = others_doing(premise, hypothesis, rng)
    if doing is None or str(premise)[-1:] not in (".", "!"):
        return None
    sentence = f"{doing[:1].upper()}{doing[1:]}."
    first = (str(premise), sentence) if rng.random() < 0.5 else (sentence, str(premise))
    return " ".join(first), str(hypothesis), "somebody else's doings"


def _second_clause(premise: Wording, hypothesis: Wording, rng: random.Random) -> tuple[str, str, str] | None:
    doing = others_doing(premise, hypothesis, rng)
    if doing is None or _told(premise) is None:
        return None
    return f"{str(premise).rstrip('.! ')}, and {doing}.", str(hypothesis), "a second clause"


def others_doing(premise: Wording, hypothesis: Wording, rng: random.Random) -> str | None:
    """ "the librarian slept", of somebody and something that neither text speaks of."""
    said = {stem for words in (premise, hypothesis) for word in words.words for stem in stems(word)}
    if SWEEPING & {low for words in (premise, hypothesis) for low in words.low}:
        return None
    for _ in range(20):
        who, does = rng.choice(members("person")), rng.choice(members("act"))
        if not any(clash(who, word) or clash(does, word) for word in said):
            return f"the {who} {inflect('act', does, 'both') or inflect('act', does, 'past')}"
    return None


def _adjunct(premise: Wording, hypothesis: Wording, rng: random.Random) -> tuple[str, str, str] | None:
    adjunct = _free_adjunct(premise, hypothesis, rng)
    if adjunct is None or _told(premise) is None:
        return None
    return _at_end(premise, adjunct), str(hypothesis), "a time or place in the premise"


def _moved(premise: Wording, hypothesis: Wording, rng: random.Random) -> tuple[str, str, str] | None:
    adjunct = _free_adjunct(premise, hypothesis, rng)
    if adjunct is None or _told(premise) is None or _told(hypothesis) is None:
        return None
    first, second = (_at_front, _at_end) if rng.random() < 0.5 else (_at_end, _at_front)
    return first(premise, adjunct), second(hypothesis, adjunct), "a time or place in both"


def _cleft(premise: Wording, hypothesis: Wording, rng: random.Random) -> tuple[str, str, str] | None:
    clause = _told(premise)
    if clause is None or len(clause.heads) != 1 or clause.verb != clause.subject_end:
        return None
    if not any(e.word_class in PERSONS | NAMES for e in entries(premise.words[clause.subject_end - 1])):
        return None
    words = lowered(premise).split(" ")
    subject, rest = words[: clause.subject_end], words[clause.subject_end :]
    return " ".join(["It was", *subject, "who", *rest]), str(hypothesis), "the premise as a cleft"


def _told(words: Wording) -> clauses.Clause | None:
    """The clause of a plain past statement that ends in a full stop."""
    clause = clauses.read_clause(words)
    if clause is None or not str(words).endswith(".") or not clauses.past_verb(words, clause.verb):
        return None
    return clause


def _free_adjunct(premise: Wording, hypothesis: Wording, rng: random.Random) -> str | None:
    """A time or place, where the texts have none of that kind."""
    said = {low for words in (premise, hypothesis) for low in words.low}
    free = [
        options
        for options in (WHEN, WHERE)
        if not said & {word for option in options for word in option.lower().split()} - {"the"}
    ]
    return rng.choice(rng.choice(free)) if free else None


def _at_end(words: Wording, adjunct: str) -> str:
    return f"{str(words)[:-1]} {adjunct}."


def _at_front(words: Wording, adjunct: str) -> str:
    return f"{adjunct[:1].upper()}{adjunct[1:]}, {lowered(words)}"


def lowered(words: Wording) -> str:
    """The sentence as it stands after other words: without its capital, unless a name has it."""
    text, first = str(words), words.words[0]
    if any(e.kind == "name" for e in entries(first)) or first == "I" or not first[:1].isupper():
        return text
    return text[:1].lower() + text[1:] if words.low[0] in clauses.DEFINITE else text


def _dress_sentiment(example: Example, rng: random.Random) -> tuple[Example, str] | None:
    text = example["text"]
    if len(text.split()) > MOST_WORDS or text[-1:] not in (".", "!", "?"):
        return None
    aside = rng.choice(ASIDES)
    return {"text": " ".join((aside, text) if rng.random() < 0.5 else (text, aside))}, "an aside"


def _dress_commonsense(example: Example, rng: random.Random) -> tuple[Example, str] | None:
    said = set(Wording.of(" . ".join([example["context"], example["question"], *example["choices"]])).low)
    if len(said) > MOST_WORDS or said & SCENE_WORDS:
        return None
    return {**example, "context": f"{rng.choice(SCENES)} {example['context']}".strip()}, "a scene before it"
