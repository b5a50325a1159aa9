"""What the tabs' handlers work with: settings, the live predictors and the calling thread's store."""

from __future__ import annotations

import functools
import inspect
import threading
import typing
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.context import LocalContext
from sqlite_utils import Database

from components.languages import browser_language, speaking
from components.watching import LabCollector, Metrics
from data.accounts import find_person, has_accounts
from data.roles import LOCAL, Person, acting_as
from data.store import StoreError, open_store
from data.versions import live_versions
from settings import Settings

if TYPE_CHECKING:
    from models.serving import Serving


class Lab:
    """One workspace, opened."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._local = threading.local()
        self._serving: Future[Serving] = Future()
        self.metrics = Metrics()
        self.metrics.registry.register(LabCollector(self))

    @property
    def serving(self) -> Serving:
        """What answers; waits until `start_serving` has imported the models' code, not for any model."""
        return self._serving.result()

    @property
    def is_serving(self) -> bool:
        """Whether the models' code is imported, so that versions are loaded or can be asked for."""
        return self._serving.done() and self._serving.exception() is None

    def is_loaded(self, task: str) -> bool:
        """Whether the task's live version answers."""
        return self.is_serving and task in self.serving.loaded

    def start_serving(self) -> None:
        """Imports the models' code and loads the live versions in a thread, so that the page is up before.

        A probe that comes meanwhile waits for its own version alone.
        """

        def start() -> None:
            try:
                from models.serving import Serving

                serving = Serving(self.settings, self.db, self.metrics)
                serving.start()
                self._serving.set_result(serving)
            except BaseException as error:
                self._serving.set_exception(error)

        threading.Thread(target=start, name="start-serving", daemon=True).start()

    def missing_models(self) -> list[str]:
        """Tasks whose live version is not loaded yet. Raises StoreError, and what kept the models from loading."""
        live = live_versions(self.db())
        if self._serving.done():
            self._serving.result()
        return [task for task in live if not self.is_loaded(task)]

    def db(self) -> Database:
        """The calling thread's connection to the store. Raises StoreError."""
        if not hasattr(self._local, "db"):
            self._local.db = open_store(self.settings.store)
        return self._local.db

    def person(self) -> Person:
        """Who sent the request that is being answered. Raises gr.Error where there are accounts and it is none."""
        try:
            if not has_accounts(self.db()):
                return LOCAL
            request = LocalContext.request.get(None)
            person = find_person(self.db(), request.username if request else None)
        except StoreError as error:
            raise gr.Error(str(error), print_exception=False) from error
        if person is None:
            raise gr.Error("Log in again: reload the page.", print_exception=False)
        return person

    def language(self) -> str:
        """What the sender of the request that is being answered reads."""
        if self.settings.language:
            return self.settings.language
        request = LocalContext.request.get(None)
        return browser_language(request.headers.get("accept-language") if request else None)

    @contextmanager
    def _asked(self) -> Iterator[None]:
        """What is done inside is done by whoever sent the request, and said in their language."""
        with acting_as(self.person()), speaking(self.language()):
            yield

    def bind(self, handler: Callable[..., Any]) -> Callable[..., Any]:
        """`handler` without its first argument, which is this lab, done by whoever sent the request.

        Its signature shows Gradio the other arguments, of which it fills some by their types.
        """

        if inspect.isgeneratorfunction(handler):  # Gradio tells by the function whether it streams

            @functools.wraps(handler)
            def bound(*values: Any) -> Any:
                steps = handler(self, *values)
                try:
                    while True:
                        with self._asked():  # each step may run in another thread and context
                            try:
                                step = next(steps)
                            except StopIteration:
                                return
                        yield step
                finally:
                    steps.close()
        else:

            @functools.wraps(handler)
            def bound(*values: Any) -> Any:
                with self._asked():
                    return handler(self, *values)

        hints = typing.get_type_hints(inspect.unwrap(handler))
        first, *others = inspect.signature(handler).parameters.values()
        bound.__annotations__ = {name: hint for name, hint in hints.items() if name != first.name}
        bound.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [p.replace(annotation=hints.get(p.name, p.annotation)) for p in others],
            return_annotation=hints.get("return", inspect.Signature.empty),
        )
        del bound.__wrapped__
        return bound
