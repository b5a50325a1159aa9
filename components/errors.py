"""Known errors as the page's messages; anything else keeps its traceback in the log."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gradio as gr

from components.stored import stored_text
from data.store import StoreError

log = logging.getLogger("blindspot.page")

SHOW_ERRORS = Path(__file__).with_name("errors.js").read_text(encoding="utf-8")
"""Puts what `known_errors` says on the page."""


def known_errors(handler: Callable[..., Any]) -> Callable[..., Any]:
    """Turns errors that carry a message for the person into a red note on the page, also those of a stream."""
    if inspect.isgeneratorfunction(handler):

        @functools.wraps(handler)
        def streamed(*values: Any) -> Any:
            with told(handler.__name__):
                yield from handler(*values)

        return streamed

    @functools.wraps(handler)
    def wrapped(*values: Any) -> Any:
        with told(handler.__name__):
            return handler(*values)

    return wrapped


@contextmanager
def told(name: str) -> Iterator[None]:
    """Known errors inside become the page's."""
    try:
        yield
    except gr.Error:
        raise
    except (ValueError, StoreError, RuntimeError) as error:  # CheckpointError and EncoderError are RuntimeErrors
        log.warning("%s: %s", name, error)
        raise gr.Error(stored_text(str(error)), duration=12, print_exception=False) from error
