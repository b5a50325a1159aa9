"""Where Chromium is, and how to get one: `python -m tests.browser.chromium`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ON_PATH = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ON_MACOS = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
PACKAGE_MANAGERS = {
    "apt-get": (["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", "chromium"]),
    "dnf": (["dnf", "install", "-y", "chromium"],),
    "pacman": (["pacman", "-S", "--noconfirm", "--needed", "chromium"],),
    "brew": (["brew", "install", "--cask", "google-chrome"],),
}
DOWNLOAD_LIMIT_S = 300
ASK_PLAYWRIGHT = """
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright:
    print(playwright.chromium.executable_path)
"""
"""Asked in a process of its own: two of Playwright's loops cannot run in one."""


def find_chromium() -> Path | None:
    """A Chromium that starts: the one on the PATH, else Playwright's own; None where there is neither."""
    return next((path for path in _candidates() if _starts(path)), None)


def install_chromium() -> Path | None:
    """Playwright's own download, else the system's package; None where neither brought one that starts."""
    playwright = [sys.executable, "-m", "playwright"]
    if _run([*playwright, "install", "--no-shell", "chromium"]):
        found = find_chromium()
        if found is None and shutil.which("apt-get"):  # downloaded, but the system lacks its libraries
            _run([*_as_root(), *playwright, "install-deps", "chromium"])
            found = find_chromium()
        if found:
            return found
    manager = next((name for name in PACKAGE_MANAGERS if shutil.which(name)), None)
    for command in PACKAGE_MANAGERS.get(manager, ()):
        _run(command if manager == "brew" else [*_as_root(), *command])
    return find_chromium()


def main() -> int:
    path = find_chromium()
    if path is None:
        print("No Chromium found; installing one.", flush=True)
        path = install_chromium()
    if path is None:
        print(
            "The browser tests expect Chromium or Google Chrome; found none, and none could be installed. "
            "Install one, put it on the PATH and try again.",
            file=sys.stderr,
        )
        return 1
    print(f"Browser: {path}")
    return 0


def _candidates() -> Iterator[Path]:
    for name in ON_PATH:
        if found := shutil.which(name):
            yield Path(found)
    if sys.platform == "darwin":
        yield from map(Path, ON_MACOS)
    answer = subprocess.run([sys.executable, "-c", ASK_PLAYWRIGHT], capture_output=True, text=True)
    if answer.returncode == 0:
        yield Path(answer.stdout.strip())


def _starts(path: Path) -> bool:
    """Whether it is more than a stub: some systems have a `chromium-browser` that only names a package."""
    if not path.is_file():
        return False
    try:
        answer = subprocess.run(
            [path, "--version"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0 and any(character.isdigit() for character in answer.stdout)


def _as_root() -> list[str]:
    """What a command needs in front of it to run as root; without a terminal nothing is asked."""
    if os.geteuid() == 0 or not shutil.which("sudo"):
        return []
    waits = sys.stdin is not None and sys.stdin.isatty() and not os.environ.get("CI")
    return ["sudo"] if waits else ["sudo", "-n"]


def _run(command: list[str]) -> bool:
    print("$ " + " ".join(command), flush=True)
    try:
        ended = subprocess.run(
            command, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, timeout=DOWNLOAD_LIMIT_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        print(error, file=sys.stderr)
        return False
    return ended.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
