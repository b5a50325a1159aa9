"""The page in a person's language. English is the source; `zh.json` has for each English text the Chinese one.

What a handler says goes through `t`, in the language of whoever sent the request. What stands on the page at rest is
written in plain English and marked by `components.languages.page` for the browser to translate.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from html import unescape
from pathlib import Path
from typing import Any

from settings import LANGUAGES

SOURCE = "en"
_TAG = re.compile(r"(<[^>]*>)")
VERBATIM = ("<code>", "<kbd>")
"""What these tags hold is the same in every language: a name in a file or on a command line, a key."""
_language: ContextVar[str] = ContextVar("language", default=SOURCE)


@lru_cache
def catalogue(language: str) -> dict[str, str]:
    """By English text the one in that language; empty for English."""
    if language == SOURCE:
        return {}
    return json.loads(Path(__file__).with_name(f"{language}.json").read_text(encoding="utf-8"))


def browser_language(accepted: str | None) -> str:
    """The catalogue for a request's Accept-Language, of which the page takes the first: English where it is none.

    Script and region do not count: `zh`, `zh-HK` and `zh-Hant` are all Chinese.
    """
    first = re.split("[-,;]", accepted or "", maxsplit=1)[0].strip().lower()
    return first if first in LANGUAGES else SOURCE


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """What `t` says inside is in that language."""
    token = _language.set(language)
    try:
        yield
    finally:
        _language.reset(token)


def t(text: str, /, **values: Any) -> str:
    """The text in the language that is spoken, `{names}` in it filled with the values.

    Of HTML each text between tags is looked up by itself, but for what is typed as it stands (`code`, `kbd`). What no
    catalogue has stays as it is.
    """
    said = put(text, catalogue(_language.get()))
    return said.format(**values) if values else said


def named(values: Iterable[str]) -> list[tuple[str, str]]:
    """Choices for a menu: each value under its name in the language that is spoken."""
    return [(t(value), value) for value in values]


def pieces(text: str) -> list[str]:
    """What the catalogue has of a text: the text, or of HTML each text between tags."""
    return [found for part in _TAG.split(text)[::2] if (found := unescape(part).strip())]


def put(text: str, known: dict[str, str]) -> str:
    """The text in the language of a catalogue; see `t`."""
    if not known:
        return text
    if "<" not in text:
        return _replace(text, text, known)
    parts = _TAG.split(text)
    for i in range(0, len(parts), 2):
        if i == 0 or parts[i - 1] not in VERBATIM:
            parts[i] = _replace(parts[i], unescape(parts[i]), known)
    return "".join(parts)


def _replace(part: str, plain: str, known: dict[str, str]) -> str:
    """The part in the other language, the white space about it kept. What a catalogue says is no HTML."""
    found = known.get(plain.strip())
    return part if found is None else part.replace(part.strip(), found)
