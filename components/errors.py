"""Known errors as the page's messages; anything else keeps its traceback in the log."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any

import gradio as gr

from data.store import StoreError

log = logging.getLogger("blindspot.page")


def known_errors(handler: Callable[..., Any]) -> Callable[..., Any]:
    """Turns errors that carry a message for the person into a red note on the page."""

    @functools.wraps(handler)
    def wrapped(*values: Any) -> Any:
        try:
            return handler(*values)
        except gr.Error:
            raise
        except (
            ValueError,
            StoreError,
            RuntimeError,
        ) as error:  # CheckpointError and EncoderError are RuntimeErrors
            log.warning("%s: %s", handler.__name__, error)
            raise gr.Error(str(error), duration=12, print_exception=False) from error

    return wrapped
