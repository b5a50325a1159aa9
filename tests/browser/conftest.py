"""A real app in a process of its own, on a fresh workspace, and a real Chromium that looks at it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from settings import PROJECT
from tests.browser.chromium import find_chromium

START_LIMIT_S = 120
SCREENSHOTS = bool(os.environ.get("BLINDSPOT_SCREENSHOTS"))
"""Whether the pictures that the README shows are taken anew."""
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass
class App:
    """`python app.py` on a free port of loopback."""

    workspace: Path
    port: int
    options: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> None:
        log = (self.workspace.parent / "app.log").open("ab")
        command = [sys.executable, "app.py", "--port", str(self.port), "--workspace", str(self.workspace)]
        command += self.options
        self.process = subprocess.Popen(command, cwd=PROJECT, stdout=log, stderr=subprocess.STDOUT)
        limit = time.monotonic() + START_LIMIT_S
        while time.monotonic() < limit:
            if self.process.poll() is not None:
                break
            try:
                urllib.request.urlopen(self.url, timeout=5).read()
                return
            except OSError:
                time.sleep(0.2)
        raise RuntimeError(f"The app did not start:\n{(self.workspace.parent / 'app.log').read_text()}")

    def kill(self) -> None:
        """As a crash would end it, with nothing said to it before."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.kill()


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    yield from running(tmp_path)


@pytest.fixture(scope="session")
def shared_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """One app for all tests that do not mind what the others stored: each counts its own rows alone.

    A test that promotes, kills the app or calls it from a program has an `app` of its own.
    """
    yield from running(tmp_path_factory.mktemp("shared"))


def running(folder: Path, *options: str) -> Iterator[App]:
    """The app on a fresh workspace in the folder, until the tests are over."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    app = App(folder / "workspace", port, options)
    try:
        app.start()
        yield app
    finally:
        app.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = find_chromium()
    if path is None:
        pytest.fail("No Chromium found; `make browser` installs one.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(path), args=FLAGS)
        yield browser
        browser.close()


def visit(page: Page, app: App, theme: str = "light") -> None:
    """Opens the app's page and waits until it answers to keys."""
    page.goto(f"{app.url}?__theme={theme}")
    expect(page.get_by_role("tab", name="Probe")).to_be_visible()
    page.wait_for_function("window.blindspotShortcuts === true")


def visit_again(page: Page, app: App) -> Page:
    """A new page on the restarted app. The old one would reload by itself, in the middle of our own visit."""
    fresh = page.context.new_page()
    page.close()
    visit(fresh, app)
    return fresh


def sign_as(page: Page, name: str) -> None:
    """What the page stores from now on is that annotator's."""
    page.locator("#annotator input, #annotator textarea").fill(name)


def show_verdicts_of(page: Page, name: str) -> None:
    """The Review tab, which is open, shows that annotator's verdicts alone."""
    expect(page.locator("#review-table")).to_contain_text(name)  # its menus are filled before it
    page.get_by_role("tabpanel").filter(visible=True).get_by_label("Annotator", exact=True).click()
    page.get_by_role("option", name=name, exact=True).click()


@pytest.fixture
def blank_page(browser: Browser) -> Iterator[Page]:
    """A page of a fresh context, nothing opened yet."""
    expect.set_options(timeout=30_000)
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(30_000)
    yield context.new_page()
    context.close()


@pytest.fixture
def page(blank_page: Page, shared_app: App) -> Page:
    """The shared app's page, at its Probe tab."""
    visit(blank_page, shared_app)
    return blank_page


@pytest.fixture
def own_page(blank_page: Page, app: App) -> Page:
    """The page of an app of the test's own, at its Probe tab."""
    visit(blank_page, app)
    return blank_page


@pytest.fixture
def picture(tmp_path: Path) -> Callable[[Page, str], None]:
    """Takes a screenshot; with BLINDSPOT_SCREENSHOTS=1 it is the one that the README shows."""
    folder = PROJECT / "docs" / "images" if SCREENSHOTS else tmp_path

    def take(page: Page, name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        page.mouse.move(0, 0)
        page.screenshot(path=folder / f"{name}.png", full_page=True)

    return take
