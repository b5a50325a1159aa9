"""The main job as a person does it, in a real browser on the real starters."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import SCREENSHOTS, App, show_verdicts_of, sign_as, visit, visit_again

pytestmark = pytest.mark.browser

RETRAIN_LIMIT_MS = 400_000
SWAP = ("The chemist followed the burglar.", "The burglar followed the chemist.")
"""A role swap: neutral, which the starter takes for entailment. Its premise is in the training split."""
CHASE = ("The singer followed the baker.", "The baker followed the singer.")
"""Another one, which one test alone flags."""


def ask(page: Page, premise: str, hypothesis: str) -> None:
    page.get_by_label("Premise", exact=True).first.fill(premise)
    page.get_by_label("Hypothesis", exact=True).first.fill(hypothesis)
    page.keyboard.press("Control+Enter")


def ask_of_bread(page: Page) -> None:
    """Runs a commonsense question; it is in the training split."""
    page.get_by_label("Question").first.fill("What do you use to cut bread?")
    page.get_by_label("Choice 1").first.fill("a knife")
    page.get_by_label("Choice 2").first.fill("a pillow")
    page.get_by_role("button", name="Run").click()


def verdict(page: Page):
    return page.locator("#answer .verdict")


def open_tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name).click()


def start_run(page: Page, short: bool = True) -> None:
    """A short run repairs one correction; the preset's breaks less and takes minutes."""
    if short:
        page.get_by_role("button", name="Advanced").click()
        page.get_by_label("Rows a step").fill("16")
        page.get_by_label("Least steps").fill("60")
        page.get_by_label("Retention rows").fill("80")
    page.get_by_role("button", name="Retrain", exact=True).click()


def test_probe_flag_retrain_promote_probe(own_page: Page, picture: Callable[[Page, str], None]) -> None:
    page = own_page
    ask(page, *SWAP)
    expect(verdict(page)).to_contain_text("entailment")
    page.get_by_role("button", name="Show the words that count").click()
    expect(page.get_by_text("Which words speak for")).to_be_visible()
    page.get_by_role("button", name="Wrong").click()
    page.get_by_role("radio", name="neutral").check()
    page.get_by_label("Blind-spot category").click()
    page.get_by_role("option", name="role swap and word order").click()
    picture(page, "probe")
    page.get_by_role("button", name="Save correction").click()
    expect(page.get_by_text("Saved as a correction; it will be trained on.")).to_be_visible()

    ask(page, "A woman is slicing bread in a bakery.", "A woman is cutting bread.")
    expect(verdict(page)).to_contain_text("entailment")
    page.get_by_role("button", name="Right", exact=True).click()
    expect(page.get_by_text("Confirmed;")).to_be_visible()

    open_tab(page, "Retrain")
    expect(page.get_by_text("role swap and word order")).to_be_visible()
    start_run(page, short=not SCREENSHOTS)
    expect(page.locator("#run-status")).to_contain_text("nli-1")
    expect(page.locator("#run-status .pill")).to_have_text("done", timeout=RETRAIN_LIMIT_MS)
    expect(page.get_by_text("1 of 1")).to_be_visible()
    expect(page.locator("#retrain-strength")).to_be_visible(timeout=RETRAIN_LIMIT_MS)
    picture(page, "retrain")
    strength = page.locator("#retrain-strength input[type=number]")
    strength.fill("1")
    strength.press("Tab")
    promote = page.get_by_role("button", name="Promote nli-v1", exact=True)
    expect(promote).to_be_visible()
    if page.get_by_text("Held back:").is_visible():
        page.locator("#retrain-reason textarea").fill("the journey goes on")
    promote.click()
    expect(page.get_by_text("nli-v1 answers now.")).to_be_visible()
    expect(page.get_by_role("button", name="nli-v1 is live")).to_be_visible()

    open_tab(page, "Probe")
    ask(page, *SWAP)
    expect(verdict(page)).to_contain_text("neutral")
    expect(page.locator("#answer .meta")).to_contain_text("nli-v1")

    open_tab(page, "Versions")
    expect(page.locator("#versions-table")).to_contain_text("nli-v1 live")
    page.get_by_role("button", name="Roll back").click()
    expect(page.locator("#versions-table")).to_contain_text("shipped starter")
    open_tab(page, "Probe")
    ask(page, *SWAP)
    expect(verdict(page)).to_contain_text("entailment")


def test_twins_of_a_correction_are_judged_with_one_key_each(page: Page, picture: Callable[[Page, str], None]) -> None:
    sign_as(page, "cleo")
    ask(page, *SWAP)
    expect(verdict(page)).to_contain_text("entailment")
    page.get_by_role("button", name="Wrong").click()
    page.get_by_role("radio", name="neutral").check()
    page.get_by_role("button", name="Save correction").click()
    twins = page.locator("#probe-twins")
    expect(twins.locator("li")).to_have_count(8)
    picture(page, "twins")
    page.keyboard.press("Enter")
    expect(twins).to_contain_text("1 of 8 kept")
    page.keyboard.press("x")
    expect(twins.locator("li.dropped")).to_have_count(1)
    page.keyboard.press("Backspace")
    expect(twins.locator("li.dropped")).to_have_count(0)
    for count in range(2, 9):
        page.keyboard.press("Enter")
        expect(twins).to_contain_text(f"{count} of 8 kept" if count < 8 else "All judged")
    open_tab(page, "Review")
    show_verdicts_of(page, "cleo")
    expect(page.get_by_text("1 to 9 of 9.")).to_be_visible()
    open_tab(page, "Probe")
    page.get_by_role("button", name="Run").click()
    expect(twins).to_be_hidden()


def test_what_was_chosen_last_stays_and_what_was_flagged_is_told(page: Page, shared_app: App) -> None:
    name = page.locator("#annotator input, #annotator textarea")
    sign_as(page, "bea")
    ask(page, *CHASE)
    expect(verdict(page)).to_contain_text("entailment")
    page.get_by_role("button", name="Wrong").click()
    page.get_by_role("radio", name="contradiction").check()
    page.get_by_label("Blind-spot category").click()
    page.get_by_role("option", name="role swap and word order").click()
    page.get_by_role("button", name="Save correction").click()
    expect(page.get_by_text("Saved as a correction")).to_be_visible()
    for reloaded in (False, True):
        if reloaded:
            visit(page, shared_app)
        expect(name).to_have_value("bea")
        ask(page, *SWAP)
        expect(verdict(page)).to_contain_text("entailment")
        page.get_by_role("button", name="Wrong").click()
        expect(page.get_by_role("radio", name="contradiction")).to_be_checked()
        expect(page.get_by_label("Blind-spot category")).to_have_value("role swap and word order")

    page.get_by_label("Premise", exact=True).first.fill(CHASE[0])
    page.get_by_label("Hypothesis", exact=True).first.fill("The baker followed a singer.")
    expect(page.locator("#probe-alike")).to_contain_text("You flagged nearly the same already")
    page.get_by_label("Hypothesis", exact=True).first.fill(CHASE[1])
    expect(page.locator("#probe-alike")).to_contain_text("You flagged this very example already")
    page.get_by_role("button", name="Open it").click()
    expect(page.locator("#review-editor").first).to_contain_text(CHASE[0])
    expect(page.get_by_text("1 to 1 of 1.")).to_be_visible()


def test_every_task_answers_and_a_flag_can_be_undone(page: Page) -> None:
    page.get_by_role("radio", name="Sentiment").check()
    page.get_by_label("Text", exact=True).fill("What a warm, funny and clever film.")
    page.get_by_role("button", name="Run").click()
    expect(verdict(page)).to_contain_text("positive")
    page.get_by_role("button", name="Right", exact=True).click()
    expect(page.get_by_text("Confirmed;")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("button", name="Right", exact=True)).to_be_visible()
    open_tab(page, "Review")
    page.get_by_label("Search").fill("warm funny clever")
    expect(page.get_by_text("Nothing here yet")).to_be_visible()

    open_tab(page, "Probe")
    page.get_by_role("radio", name="Commonsense").check()
    ask_of_bread(page)
    expect(page.locator("#answer .bar")).to_have_count(2)


def test_a_gallery_case_fills_the_form_and_runs(page: Page) -> None:
    page.locator("#probe-gallery").get_by_role("radio").first.check()
    expect(page.locator("#answer")).to_be_visible()
    expect(page.get_by_label("Premise", exact=True).first).not_to_be_empty()


def test_bad_input_is_answered_with_what_to_do(page: Page) -> None:
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_role("alert")).to_contain_text("Premise is empty")
    ask(page, "word " * 700, "A word.")
    expect(page.get_by_text("tokens")).to_be_visible()
    ask(page, "x" * 200_000, "A word.")
    expect(page.get_by_role("alert")).to_contain_text("100,000 characters")


def test_review_imports_finds_edits_and_deletes(page: Page, tmp_path: Path) -> None:
    rows = [
        {"premise": "No tourist saw the comet.", "hypothesis": "A tourist saw the comet.", "label": "contradiction"},
        {"premise": "Every lamp is lit.", "hypothesis": "<b>Some</b> lamp is lit.", "label": "entailment"},
        {"premise": "Every lamp is lit.", "hypothesis": "Some lamp is lit.", "label": "maybe"},
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    open_tab(page, "Review")
    page.get_by_role("button", name="Import").click()
    page.locator("#review-file input[type=file]").set_input_files(path)
    expect(page.get_by_text("line 3")).to_be_visible()
    page.get_by_role("button", name="Import 2 rows").click()
    expect(page.get_by_text("Imported 2 rows.")).to_be_visible()

    page.get_by_label("Search").fill("comet")
    expect(page.get_by_text("1 to 1 of 1.")).to_be_visible()
    page.get_by_role("gridcell", name="No tourist saw the comet.").click()
    page.locator("#review-editor").get_by_role("radio", name="neutral").check()
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_role("gridcell", name="neutral").first).to_be_visible()
    page.get_by_role("gridcell", name="No tourist saw the comet.").click()
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("Nothing here yet")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("1 to 1 of 1.")).to_be_visible()

    page.get_by_role("button", name="Export").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="JSON Lines").click()
    exported = [json.loads(line) for line in Path(download.value.path()).read_text(encoding="utf-8").splitlines()]
    assert [row["hypothesis"] for row in exported] == ["A tourist saw the comet."]


def test_a_flag_and_a_running_job_survive_kill_9(own_page: Page, app: App) -> None:
    page = own_page
    ask(page, *SWAP)
    expect(verdict(page)).to_contain_text("entailment")
    page.get_by_role("button", name="Wrong").click()
    page.get_by_role("radio", name="neutral").check()
    page.get_by_role("button", name="Save correction").click()
    expect(page.get_by_text("Saved as a correction")).to_be_visible()
    app.kill()
    app.start()
    page = visit_again(page, app)
    open_tab(page, "Retrain")
    start_run(page)
    expect(page.locator("#run-status")).to_contain_text("loading the model")
    app.kill()
    app.start()
    page = visit_again(page, app)
    open_tab(page, "Retrain")
    expect(page.locator("#run-status .pill")).to_have_text("done", timeout=RETRAIN_LIMIT_MS)
    expect(page.get_by_role("button", name="Promote nli-v1")).to_be_visible()


def test_a_run_is_cancelled(page: Page) -> None:
    page.get_by_role("radio", name="Commonsense").check()
    ask_of_bread(page)
    page.get_by_role("button", name="Right", exact=True).click()
    expect(page.get_by_text("Confirmed;")).to_be_visible()
    open_tab(page, "Retrain")
    page.get_by_role("button", name="Retrain", exact=True).click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#run-status .pill")).to_have_text("cancelled")


def test_grey_values_follow_preset_and_task_and_leave_what_was_typed(page: Page) -> None:
    open_tab(page, "Retrain")
    page.get_by_role("button", name="Advanced").click()
    epochs, lessons = page.get_by_label("Epochs"), page.get_by_label("Lesson rows")
    expect(epochs).to_have_attribute("placeholder", "2")
    expect(lessons).to_have_attribute("placeholder", "0")
    epochs.fill("7")
    page.get_by_role("radio", name="Balanced").check()
    expect(epochs).to_have_attribute("placeholder", "3")
    page.get_by_role("radio", name="Sentiment").check()
    expect(lessons).to_have_attribute("placeholder", "500")
    expect(epochs).to_have_value("7")


def test_failing_rows_of_a_suite_become_corrections(page: Page, picture: Callable[[Page, str], None]) -> None:
    page.get_by_role("radio", name="Sentiment").check()
    open_tab(page, "Blind spots")
    expect(page.get_by_text("No suite has run yet")).to_be_visible()
    page.get_by_role("button", name="Run the suites").click()
    expect(page.get_by_role("progressbar", name="suites")).to_be_visible()
    expect(page.get_by_text("16 suites in")).to_be_visible(timeout=RETRAIN_LIMIT_MS)
    expect(page.get_by_text("capabilities are failed by half or more")).to_be_visible()
    cells = page.locator("#spots-map .heatmaplayer")
    expect(cells).to_be_visible()
    page.wait_for_function("document.querySelector('#spots-map .js-plotly-plot').dataset.picks === 'yes'")
    box = cells.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 40)
    expect(page.get_by_role("button", name="Take the first 20")).to_be_visible()
    picture(page, "spots")
    page.get_by_role("button", name="Take the first 20").click()
    expect(page.get_by_text("20 corrections stored.")).to_be_visible()
    open_tab(page, "Review")
    expect(page.get_by_text("of 20. Click a row")).to_be_visible()
    open_tab(page, "Blind spots")
    page.locator("#spots-undo").click()
    open_tab(page, "Review")
    expect(page.get_by_text("of 20. Click a row")).not_to_be_visible()
