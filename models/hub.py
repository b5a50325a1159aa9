"""A version on the Hugging Face Hub: its plain folder with the model card, private unless said otherwise."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from models.folders import CheckpointError

TOKEN = "HF_TOKEN"  # noqa: S105 the variable's name


class HubError(CheckpointError):
    """The Hub did not take the version; the message says why and what to do."""


def push_to_hub(
    version: Path, repository: str, *, public: bool = False, onnx: bool = False, int8: bool = False
) -> str:
    """Exports the version in `version` (`models.export`) and uploads it as ORG/NAME; returns its address there.

    The token is read from HF_TOKEN, the Hub's address from HF_ENDPOINT. A repository that is there gets one more
    commit and stays as private as it is. Raises ValueError on a name that the Hub does not take and where there is no
    token, and HubError.
    """
    import httpx2  # what the Hub's client asks with
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError
    from huggingface_hub.utils import validate_repo_id

    from models.export import export_model

    try:
        validate_repo_id(repository)
    except HFValidationError as error:
        raise ValueError(f"Expected a name such as ORG/NAME; found {repository!r}. {error}") from None
    if "/" not in repository:
        raise ValueError(f"Expected a name such as ORG/NAME; found {repository!r}. Put your name on the Hub first.")
    token = os.environ.get(TOKEN)
    if not token:
        raise ValueError(
            f"Expected a token with write access in {TOKEN}; found none. Make one in the Hub's settings."
        )
    api = HfApi(endpoint=os.environ.get("HF_ENDPOINT"), token=token)
    with tempfile.TemporaryDirectory() as folder:
        plain = export_model(version, Path(folder) / "model", onnx=onnx, int8=int8)
        try:
            address = api.create_repo(repository, private=not public, exist_ok=True)
            api.upload_folder(repo_id=repository, folder_path=plain, commit_message=f"Blindspot {version.name}")
        except HfHubHTTPError as error:
            raise HubError(
                f"The Hub refused {repository}: {error}. Check that the token in {TOKEN} may write there."
            ) from error
        except (httpx2.HTTPError, OSError) as error:
            raise HubError(
                f"The Hub at {api.endpoint} cannot be reached: {error}. Check the network and HF_ENDPOINT, or take "
                "the folder away with export-model."
            ) from error
    return str(address)
