"""Named entities in the browser: marked with the mouse and with keys, flagged, seen in Review, undone."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.test_journey import open_tab, verdict

pytestmark = pytest.mark.browser

TEXT = "Paris met Jordan Keller in Reading, and the Apple orchard was lovely."


@pytest.fixture
def page(page: Page) -> Page:
    """At the task whose rows no other file's tests store."""
    page.get_by_role("radio", name="Entities").check()
    return page


def ask(page: Page, text: str) -> Locator:
    """Runs the text and says that it is wrong; returns the text to mark in."""
    page.get_by_label("Text", exact=True).first.fill(text)
    page.keyboard.press("Control+Enter")
    expect(verdict(page)).to_contain_text("entit")
    expect(page.get_by_role("button", name="Wrong")).to_be_visible()
    page.keyboard.press("Alt+n")
    marks = page.locator("#probe-marks textarea")
    expect(marks).to_be_focused()
    return marks


def unmark_all(page: Page, marks: Locator, text: str) -> None:
    """By keys: everything selected, and no entity left."""
    marks.press("Control+a")
    marks.press("Alt+0")
    expect(marks).to_have_value(text)


def place_of(marks: Locator, words: str, end: bool = False) -> dict[str, float]:
    """Where words stand in a text area, in pixels of the page: their first letter, or what follows their last."""
    return marks.evaluate(
        """(area, [words, end]) => {
            const copy = document.createElement('div'), {left, top, width} = area.getBoundingClientRect();
            const {font, padding, border, letterSpacing, lineHeight} = getComputedStyle(area);
            Object.assign(copy.style, {font, padding, border, letterSpacing, lineHeight, position: 'fixed',
                left: `${left}px`, top: `${top}px`, width: `${width}px`, boxSizing: 'border-box',
                whiteSpace: 'pre-wrap', overflowWrap: 'break-word'});
            copy.textContent = area.value;
            document.body.append(copy);
            const range = document.createRange(), start = area.value.indexOf(words) + (end ? words.length : 0);
            range.setStart(copy.firstChild, start);
            range.setEnd(copy.firstChild, start);
            const at = range.getBoundingClientRect();
            copy.remove();
            return {x: at.left, y: at.top + at.height / 2 - area.scrollTop};
        }""",
        [words, end],
    )


def select_by_mouse(page: Page, marks: Locator, words: str) -> None:
    start, stop = place_of(marks, words), place_of(marks, words, end=True)
    page.mouse.move(start["x"] + 1, start["y"])
    page.mouse.down()
    page.mouse.move(stop["x"] - 1, stop["y"], steps=4)
    page.mouse.up()


def mark(page: Page, name: str) -> None:
    toolbar = page.locator("#probe-marks").get_by_role("toolbar", name="Type of what is selected")
    toolbar.get_by_role("button", name=name).click()


def test_entities_are_marked_with_the_mouse_stored_seen_in_review_and_undone(
    page: Page, picture: Callable[[Page, str], None]
) -> None:
    marks = ask(page, TEXT)
    unmark_all(page, marks, TEXT)
    for words, name in (("Paris", "PER"), ("Jordan Keller", "PER"), ("Reading", "LOC"), ("Apple", "ORG")):
        select_by_mouse(page, marks, words)
        mark(page, name)
    invented = "[Paris](PER) met [Jordan Keller](PER) in [Reading](LOC), and the [Apple](ORG) orchard was lovely."
    expect(marks).to_have_value(invented)
    apple = place_of(marks, "Apple", end=True)
    page.mouse.click(apple["x"] - 3, apple["y"])  # a click into a mark is enough to take it away
    mark(page, "no entity")
    right = invented.replace("[Apple](ORG)", "Apple")
    expect(marks).to_have_value(right)
    page.get_by_label("Blind-spot category").first.click()
    page.get_by_role("option", name="ambiguous names").click()
    picture(page, "entities")
    page.get_by_role("button", name="Save correction").click()
    expect(page.get_by_text("Saved as a correction")).to_be_visible()
    twins = page.locator("#probe-twins")
    expect(twins.locator("li").first).to_contain_text("(PER)")

    open_tab(page, "Review")
    expect(page.get_by_text("1 to 1 of 1.")).to_be_visible()
    page.get_by_role("gridcell", name="Paris (PER), Jordan Keller (PER), Reading (LOC)").first.click()
    edited = page.locator("#review-marks textarea")
    expect(edited).to_have_value(right)
    edited.press("Control+Home")
    edited.press("ArrowRight")
    edited.press("ArrowRight")
    edited.press("Alt+o")
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_role("gridcell", name="Paris (ORG), Jordan Keller (PER)").first).to_be_visible()
    page.get_by_role("button", name="Undo", exact=True).click()
    expect(page.get_by_role("gridcell", name="Paris (PER), Jordan Keller (PER)").first).to_be_visible()

    open_tab(page, "Probe")
    page.get_by_role("button", name="Undo", exact=True).click()
    expect(page.get_by_role("button", name="Right", exact=True)).to_be_visible()
    open_tab(page, "Review")
    expect(page.get_by_text("Nothing here yet")).to_be_visible()


def test_entities_are_corrected_with_keys_alone(page: Page) -> None:
    text = "going to tallinn with ilse brandt tomorrow"
    marks = ask(page, text)
    unmark_all(page, marks, text)
    marks.press("Control+Home")
    for _ in "going to ta":
        marks.press("ArrowRight")
    marks.press("Alt+o")  # the word at the cursor
    expect(marks).to_have_value("going to [tallinn](ORG) with ilse brandt tomorrow")
    marks.press("Alt+l")
    expect(marks).to_have_value("going to [tallinn](LOC) with ilse brandt tomorrow")
    marks.press("Control+End")
    for _ in " tomorrow":
        marks.press("ArrowLeft")
    for _ in "se brandt":  # whole words are taken
        marks.press("Shift+ArrowLeft")
    marks.press("Tab")  # the buttons are reached too
    expect(page.locator("#probe-marks").get_by_role("button", name="PER")).to_be_focused()
    page.keyboard.press("Enter")
    right = "going to [tallinn](LOC) with [ilse brandt](PER) tomorrow"
    expect(marks).to_have_value(right)
    expect(marks).to_be_focused()
    page.keyboard.press("Alt+s")
    expect(page.get_by_text(re.compile("^(Confirmed|Saved as a correction);"))).to_be_visible()
    page.keyboard.press("Alt+z")
    expect(page.get_by_role("button", name="Right", exact=True)).to_be_visible()


def test_an_entity_is_explained_and_a_text_marked_for_another_is_refused(page: Page) -> None:
    marks = ask(page, "Anna Keller moved to Oslo.")
    page.keyboard.press("Alt+i")
    expect(page.get_by_text("Which words speak for")).to_contain_text("(")
    marks.fill("Somebody else moved to Oslo.")
    page.get_by_role("button", name="Save correction").click()
    expect(page.get_by_text("Expected the text that was run")).to_be_visible()
