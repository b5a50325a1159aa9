"""A language model in the browser: probed, asked what it would say, corrected, retrained, promoted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from data.tasks import TASKS
from tests.browser.conftest import App, running
from tests.browser.test_journey import RETRAIN_LIMIT_MS, open_tab, verdict

pytestmark = pytest.mark.browser

NOUNS = ("film", "plot", "meal", "hotel", "song", "service", "book", "flight", "concert", "lecture")
TEXTS = [f"The {noun} was anything but {word}." for word in ("good", "funny", "clever") for noun in NOUNS]


@pytest.fixture
def app(tmp_path: Path, tiny_lm: Path) -> Iterator[App]:
    yield from running(tmp_path, "--model", f"sentiment={tiny_lm}")


def test_probe_correct_retrain_promote(own_page: Page, tmp_path: Path, picture: Callable[[Page, str], None]) -> None:
    page = own_page
    taught = [text for text in TEXTS if TASKS["sentiment"].split_of({"text": text}) == "train"][:20]
    page.get_by_role("radio", name="Sentiment").check()
    page.get_by_label("Text", exact=True).fill(taught[0])
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#answer .meta")).to_contain_text("sentiment-lm")
    page.get_by_role("button", name="What it would say next").click()
    expect(page.locator("#next-text textarea")).to_have_value(f"{taught[0]}\nThe feeling of this text is")
    page.get_by_role("button", name="Next token").click()
    expect(page.locator("#next-tokens .bar")).to_have_count(12)
    page.get_by_role("button", name="Let it speak").click()
    expect(page.locator("#next-said textarea")).not_to_have_value("")
    picture(page, "language-model")

    rows = [{"text": text, "label": "negative", "kind": "correction"} for text in taught]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    open_tab(page, "Review")
    page.get_by_role("button", name="Import").click()
    page.locator("#review-file input[type=file]").set_input_files(path)
    page.get_by_role("button", name="Import 20 rows").click()
    expect(page.get_by_text("Imported 20 rows.")).to_be_visible()

    open_tab(page, "Retrain")
    page.get_by_role("button", name="Advanced").click()
    page.get_by_label("Rows a step").fill("16")
    page.get_by_label("Least steps").fill("40")  # a language model's steps are slow, and 20 rows are soon learnt
    page.get_by_role("textbox", name="Siblings and contrasts").fill("200")
    page.get_by_label("Retention rows").fill("40")
    page.get_by_label("Lesson rows").fill("0")
    page.get_by_role("button", name="Retrain", exact=True).click()
    expect(page.locator("#run-status .pill")).to_have_text("done", timeout=RETRAIN_LIMIT_MS)
    strength = page.locator("#retrain-strength input[type=number]")
    strength.fill("1")
    strength.press("Tab")
    promote = page.get_by_role("button", name="Promote sentiment-v1", exact=True)
    expect(promote).to_be_visible()
    if page.get_by_text("Held back:").is_visible():
        page.locator("#retrain-reason textarea").fill("the journey goes on")
    promote.click()
    expect(page.get_by_text("sentiment-v1 answers now.")).to_be_visible()

    open_tab(page, "Probe")
    page.get_by_label("Text", exact=True).fill(taught[0])
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#answer .meta")).to_contain_text("sentiment-v1")
    expect(verdict(page)).to_contain_text("negative")
    open_tab(page, "Versions")
    page.get_by_role("button", name="What this model is asked").click()
    expect(page.locator("#versions-prompt textarea")).to_have_value(TASKS["sentiment"].prompt)
