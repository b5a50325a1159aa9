"""The page without a mouse, with a screen reader's needs in mind, and its figures and versions taken away."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import App, show_verdicts_of, sign_as, visit

pytestmark = pytest.mark.browser
TABS = ("Probe", "Blind spots", "Review", "Retrain", "Versions", "Figures")
RELIABILITY = "Reliability on the validation set"
MEASURED_MS = 120_000
"""Until two versions have answered the validation set, or a word has its score, on the busiest of machines."""


def test_probe_flag_twins_and_the_next_example_by_keys_alone(blank_page: Page, shared_app: App) -> None:
    page, keys = blank_page, blank_page.keyboard
    visit(page, shared_app)
    sign_as(page, "ada")
    keys.press("Alt+e")
    keys.type("The chemist followed the burglar.")
    keys.press("Tab")
    keys.type("The burglar followed the chemist.")
    keys.press("Control+Enter")
    expect(page.locator("#answer .verdict")).to_contain_text("entailment")
    keys.press("Alt+n")
    expect(page.locator("#probe-expected input:focus")).to_have_count(1)
    if not page.get_by_role("radio", name="neutral").is_checked():
        keys.press("ArrowDown")
    expect(page.get_by_role("radio", name="neutral")).to_be_checked()
    keys.press("Alt+s")
    twins = page.locator("#probe-twins")
    expect(twins).to_contain_text("0 of 8 kept")
    keys.press("x")
    expect(twins.locator("li.dropped")).to_have_count(1)
    keys.press("2")
    expect(twins).to_contain_text("1 of 8 kept")
    for count in range(2, 8):
        keys.press("Enter")
        expect(twins).to_contain_text(f"{count} of 8 kept" if count < 7 else "All judged")

    keys.press("Alt+j")
    expect(page.locator("#probe-gallery input").first).to_be_checked()
    expect(page.get_by_label("Premise", exact=True).first).not_to_have_value("The chemist followed the burglar.")
    expect(page.get_by_role("button", name="Right", exact=True)).to_be_visible()
    keys.press("Alt+y")
    expect(page.get_by_text("Confirmed;")).to_be_visible()
    keys.press("Alt+z")
    expect(page.get_by_role("button", name="Right", exact=True)).to_be_visible()
    premise = page.get_by_label("Premise", exact=True).first
    first = premise.input_value()
    keys.press("Alt+j")
    expect(page.locator("#probe-gallery input").nth(1)).to_be_checked()
    expect(premise).not_to_have_value(first)
    keys.press("Alt+e")
    keys.type("A dog sleeps.")
    expect(premise).to_have_value("A dog sleeps.")
    keys.press("Alt+3")
    show_verdicts_of(page, "ada")
    expect(page.get_by_text("1 to 8 of 8.")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_any_tab(blank_page: Page, shared_app: App, theme: str) -> None:
    page = blank_page
    visit(page, shared_app, theme)
    page.locator("#probe-gallery").get_by_role("radio").first.check()
    expect(page.locator("#answer")).to_be_visible()
    page.get_by_role("button", name="Show the words that count").click()
    expect(page.get_by_text("Which words speak for")).to_be_visible(timeout=MEASURED_MS)
    for tab in TABS:
        page.get_by_role("tab", name=tab).click()
        panel = page.get_by_role("tabpanel").filter(visible=True)
        expect(panel).to_have_count(1)
        for closed in panel.locator("button.label-wrap:not(.open)").filter(visible=True).element_handles():
            closed.click()  # a handle stays the same button while others open
        if tab == "Figures":
            expect(
                page.get_by_role("button", name="Download Reliability on the validation set as PNG")
            ).to_be_visible()
        found = Axe().run(page).response["violations"]
        serious = [
            (one["id"], node["html"][:200], node["target"])
            for one in found
            if one["impact"] in ("serious", "critical")
            for node in one["nodes"]
        ]
        assert not serious, (tab, serious)


def test_a_figure_is_taken_away_as_png_and_as_html_that_needs_no_network(
    blank_page: Page, shared_app: App, tmp_path: Path
) -> None:
    page, name = blank_page, RELIABILITY
    visit(page, shared_app, "dark")
    page.get_by_role("tab", name="Figures").click()
    expect(page.get_by_role("button", name=f"Download {name} as PNG")).to_be_visible(timeout=MEASURED_MS)
    with page.expect_download() as download:
        page.get_by_role("button", name=f"Download {name} as PNG").click()
    assert download.value.suggested_filename == "reliability-on-the-validation-set.png"
    assert Path(download.value.path()).read_bytes().startswith(b"\x89PNG")
    with page.expect_download() as download:
        page.get_by_role("button", name=f"Download {name} as HTML").click()
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    page.context.set_offline(True)
    page.goto(path.as_uri())
    expect(page).to_have_title(name)
    expect(page.locator("#figure").get_by_text(name)).to_be_visible()
    expect(page.locator("#figure").get_by_text("confidence (%)")).to_be_visible()


def test_a_version_is_taken_away_as_a_zip_and_stopped_work_leaves_nothing(blank_page: Page, shared_app: App) -> None:
    page, exports = blank_page, shared_app.workspace / "exports"
    visit(page, shared_app)
    page.get_by_role("tab", name="Versions").click()
    expect(page.locator("#versions-choice input")).to_have_value(re.compile("^nli-"))
    page.get_by_role("button", name="Take it with you").click()
    make, stop = page.locator("#versions-make"), page.locator("#versions-take-stop")
    page.get_by_role("radio", name="with ONNX and int8").check()
    make.click()
    expect(page.get_by_text("Writing weights and tokenizer")).to_be_visible(timeout=MEASURED_MS)
    stop.click()
    expect(stop).to_be_hidden()
    for _ in range(60):
        if not list(exports.iterdir()):
            break
        page.wait_for_timeout(500)
    assert list(exports.iterdir()) == []

    page.get_by_role("radio", name="Hugging Face folder").check()
    make.click()
    link = page.get_by_role("link", name="Download nli-")
    expect(link).to_be_visible(timeout=MEASURED_MS)
    expect(make).to_be_enabled()
    expect(stop).to_be_hidden()
    with page.expect_download() as download:
        link.click()
    name = download.value.suggested_filename
    with zipfile.ZipFile(download.value.path()) as file:
        version = name.removesuffix(".zip")
        assert {f"{version}/config.json", f"{version}/model.safetensors", f"{version}/README.md"} <= set(
            file.namelist()
        )
