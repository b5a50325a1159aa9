"""Scripts that part no words by spaces, written so that the full-text index finds any part of a text.

SQLite's tokenizer takes a run of Chinese characters for one word, and its trigram tokenizer finds nothing of one or
two characters, and most Chinese words have two. So each character of these scripts goes into the index as a word of
its own, and what is looked for becomes a phrase of such words: it is found wherever it stands, down to one character.
"""

from __future__ import annotations

import re

UNPARTED = re.compile(
    "["
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f\u1780-\u17ff"  # Burmese, Khmer
    "\u1100-\u11ff\u3130-\u318f\uac00-\ud7ff"  # Korean, which parts its words, but not from their endings
    "\u3005-\u3007\u3040-\u30ff\u3100-\u312f\u31a0-\u31bf\u31f0-\u31ff\uff66-\uff9f"  # kana, bopomofo
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Chinese characters
    "]"
)


def apart(text: str) -> str:
    """The text with each character of such a script as a word of its own, here its number: "uses 模型" becomes
    "uses  u6a21  u578b ". A number is a word to every tokenizer, a Thai vowel sign and a rare character are not."""
    return text if text.isascii() else UNPARTED.sub(lambda found: f" u{ord(found[0]):x} ", text)
