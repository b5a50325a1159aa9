"""The page as a person with a Chinese browser has it: its words, and a Chinese text probed, flagged and found."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import App

pytestmark = pytest.mark.browser

READY_LIMIT_S = 300
"""So long a busy machine may take to load the models."""
TABS = ("探测", "盲点", "审阅", "再训练", "版本", "图表", "状态")
PREMISE, HYPOTHESIS = "没有一位乘客在火车到站之前醒来。", "火车到站时有人还在睡。"


@pytest.fixture
def page(browser: Browser, shared_app: App) -> Iterator[Page]:
    """The app's page in a browser that asks for Chinese."""
    expect.set_options(timeout=60_000)
    context = browser.new_context(locale="zh-CN", viewport={"width": 1280, "height": 900})
    context.set_default_timeout(60_000)
    page = context.new_page()
    page.goto(shared_app.url)
    page.wait_for_function("window.blindspotShortcuts === true")
    for _ in range(READY_LIMIT_S):
        if page.request.get(f"{shared_app.url}readyz").ok:
            break
        page.wait_for_timeout(1000)
    yield page
    context.close()


@pytest.mark.parametrize(
    ("asked", "word"),
    [
        ("zh", "运行"),
        ("zh-HK", "运行"),
        ("zh-SG", "运行"),
        ("zh-MO", "运行"),
        ("zh-Hans", "运行"),
        ("zh-Hant", "运行"),
        ("de", "Run"),
    ],
)
def test_every_chinese_browser_gets_the_chinese_page(
    browser: Browser, shared_app: App, asked: str, word: str
) -> None:
    context = browser.new_context(locale=asked)
    page = context.new_page()
    page.goto(shared_app.url)
    expect(page.get_by_role("button", name=word, exact=True)).to_be_visible(timeout=60_000)
    page.wait_for_function("window.blindspotShortcuts === true")
    empty = "No answer yet" if word == "Run" else "尚无答案"
    expect(page.get_by_text(empty)).to_be_visible()
    page.get_by_role("radio", name="Entities" if word == "Run" else "实体").check()
    expect(page.get_by_label("Blind spot" if word == "Run" else "盲点", exact=True).first).to_be_visible()
    context.close()


def test_a_chinese_text_is_probed_flagged_and_found_on_a_chinese_page(page: Page) -> None:
    for name in TABS:
        expect(page.get_by_role("tab", name=name)).to_be_visible()
    expect(page.get_by_text("尚无答案")).to_be_visible()
    expect(page.get_by_role("radio", name="推理")).to_be_checked()
    name = page.get_by_text("标注人", exact=True).first
    assert (
        name.evaluate(
            "it => { const all = document.createRange(); all.selectNodeContents(it); "
            "return new Set([...all.getClientRects()].map(one => Math.round(one.top))).size; }"
        )
        == 1
    )  # it stands in one line

    page.get_by_label("前提", exact=True).first.fill(PREMISE)
    page.get_by_label("假设", exact=True).first.fill(HYPOTHESIS)
    page.get_by_role("button", name="运行", exact=True).click()
    expect(page.locator("#answer .verdict")).to_contain_text("蕴含")
    page.get_by_role("button", name="错误", exact=True).click()
    page.get_by_role("radio", name="中立").check()
    page.get_by_role("button", name="保存更正").click()
    expect(page.get_by_role("status").filter(has_text="已存为更正")).to_be_visible()

    page.get_by_role("tab", name="审阅").click()
    table = page.locator("#review-table")
    expect(table).to_contain_text("应为")
    for words, found in (("乘客", True), ("睡", True), ("船", False)):
        page.get_by_label("搜索").fill(words)
        if found:
            expect(table).to_contain_text(PREMISE)
            expect(table).to_contain_text("中立")
        else:
            expect(page.get_by_text("这里还没有内容")).to_be_visible()
