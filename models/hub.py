"""A version on the Hugging Face Hub: its plain folder with the model card, private unless said otherwise."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

from models.apart import untold
from models.folders import CheckpointError

TOKEN = "HF_TOKEN"  # noqa: S105 the variable's name
MISSING = (
    "Expected a token with write access in HF_TOKEN, or typed into the page; found none. Make one in the Hub's "
    "settings."
)
STRANGE = "Expected a token of letters, digits and _; found other characters in it. Copy it once more."


class HubError(CheckpointError):
    """The Hub did not take the version; the message says why and what to do."""


def push_to_hub(
    version: Path,
    repository: str,
    *,
    public: bool = False,
    onnx: bool = False,
    int8: bool = False,
    token: str = "",
    tell: Callable[[str], None] = untold,
) -> str:
    """Exports the version in `version` (`models.export`) and uploads it as ORG/NAME; returns its address there.

    Without a token the one in HF_TOKEN is taken; the Hub's address is read from HF_ENDPOINT. A repository that is
    there gets one more commit and stays as private as it is. Raises what `check_push` raises, and HubError.
    """
    import httpx2  # what the Hub's client asks with
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    from models.export import export_model

    api = HfApi(endpoint=os.environ.get("HF_ENDPOINT"), token=check_push(repository, token))
    with tempfile.TemporaryDirectory() as folder:
        plain = export_model(version, Path(folder) / "model", onnx=onnx, int8=int8, tell=tell)
        tell("Uploading")
        try:
            address = api.create_repo(repository, private=not public, exist_ok=True)
            api.upload_folder(repo_id=repository, folder_path=plain, commit_message=f"Blindspot {version.name}")
        except HfHubHTTPError as error:
            raise HubError(f"The Hub refused {repository}: {error}. Check that the token may write there.") from error
        except (httpx2.HTTPError, OSError) as error:
            raise HubError(
                f"The Hub at {api.endpoint} cannot be reached: {error}. Check the network and HF_ENDPOINT, or take "
                "the version away as a folder."
            ) from error
    return str(address)


def check_push(repository: str, token: str = "") -> str:
    """The token, else the one in HF_TOKEN; no message holds it.

    Raises ValueError where there is none, and on a name that the Hub does not take.
    """
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(repository)
    except HFValidationError as error:
        raise ValueError(f"Expected a name such as ORG/NAME; found {repository!r}. {error}") from None
    if "/" not in repository:
        raise ValueError(f"Expected a name such as ORG/NAME; found {repository!r}. Put your name on the Hub first.")
    token = token.strip() or os.environ.get(TOKEN, "").strip()
    if not token:
        raise ValueError(MISSING)
    if not re.fullmatch(r"[\w.-]+", token, re.ASCII):  # else the client's own message would show it
        raise ValueError(STRANGE)
    return token
