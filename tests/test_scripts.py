"""Text of any script is stored, searched and shown as it was written."""

import pytest

from components.context import Lab
from components.review import NOTHING_CHOSEN, first_page
from data.examples import flag_example
from data.finding import find_page
from data.migrations import migrations
from data.queries import Filters, count_verdicts, find_verdicts
from data.store import open_store
from data.tasks import TASKS
from models.alike import find_alike
from tests.conftest import nli

TASK = TASKS["sentiment"]
TEXTS = {
    "chinese": "这部电影并不难看，只是BERT模型看不懂。",
    "japanese": "この映画は面白くないとは言えない。ﾃｽﾄ",
    "korean": "영화가 재미없지는 않았다.",
    "thai": "หนังเรื่องนี้ไม่น่าเบื่อเลย",
    "rare": "𠮷野家的𰻞𰻞面不错。",
    "english": "The film was not dull.",
    "russian": "Фильм вовсе не скучный.",
}


def text_of(name):
    return {"text": TEXTS[name]}


@pytest.fixture
def texts(store):
    for name in TEXTS:
        flag_example(store, TASK, text_of(name), 2, annotator="ann")
    return store


SEARCHES = [
    ("电影", "chinese"),
    ("不难看", "chinese"),
    ("懂", "chinese"),
    ("看不懂。", "chinese"),
    ("bert", "chinese"),
    ("BERT模型", "chinese"),
    ("模型 电影", "chinese"),
    ("映画", "japanese"),
    ("面白くない", "japanese"),
    ("は言え", "japanese"),
    ("ﾃｽ", "japanese"),
    ("영화", "korean"),
    ("재미", "korean"),
    ("ไม่", "thai"),
    ("เบื่อ", "thai"),
    ("𠮷野", "rare"),
    ("𰻞", "rare"),
    ("not dull", "english"),
    ("скучный", "russian"),
]


@pytest.mark.parametrize(("search", "name"), SEARCHES)
def test_any_part_of_a_text_finds_it(texts, search, name):
    found = Filters(task=TASK.name, search=search)
    assert [row["example"] for row in find_page(texts, found).rows] == [text_of(name)]
    assert [row["example"] for row in find_verdicts(texts, found)] == [text_of(name)]
    assert count_verdicts(texts, found) == 1


@pytest.mark.parametrize("search", ["影电", "模型BERT", "ไม้", "野吉", "화영", "ull", '"电影 模型"', "猫"])
def test_what_no_text_holds_finds_none(texts, search):
    assert find_page(texts, Filters(search=search)).total == 0


def test_a_search_in_the_page_shows_the_text_as_it_was_written(texts, settings):
    for search, name in SEARCHES:
        table = first_page(Lab(settings), TASK.name, search, *NOTHING_CHOSEN[1:])[0]
        assert [row[1] for row in table["value"]] == [TEXTS[name]]


def test_a_store_of_before_finds_its_texts_after_the_migration(settings):
    db = open_store(settings.store)
    for name in TEXTS:
        flag_example(db, TASK, text_of(name), 2, annotator="ann")
    db.executescript(
        """
        DROP TABLE examples_fts;
        DROP TRIGGER examples_fts_insert; DROP TRIGGER examples_fts_delete; DROP TRIGGER examples_fts_update;
        DROP VIEW examples_index;
        ALTER TABLE examples DROP COLUMN words;
        DELETE FROM _sqlite_migrations WHERE name = 'm010_any_script';
        """
    )
    db["examples"].enable_fts(["text"], create_triggers=True, tokenize="unicode61 remove_diacritics 2")
    assert find_page(db, Filters(search="dull")).total == 1
    db.close()
    db = open_store(settings.store)
    assert not migrations.pending(db)
    for search, name in SEARCHES:
        assert [row["example"] for row in find_page(db, Filters(search=search)).rows] == [text_of(name)]
    db.execute("UPDATE examples SET text = '新的句子', words = NULL WHERE text = ?", [TEXTS["english"]])
    assert find_page(db, Filters(search="dull")).total == 0
    db.execute("INSERT INTO examples_fts (examples_fts, rank) VALUES ('integrity-check', 1)")
    db.close()


def test_nearly_the_same_in_chinese_is_told(store):
    flagged = nli("七条小船在暴风雨来临之前停在旧港口里。", "港口里有小船。")
    flag_example(store, TASKS["nli"], nli("没有一只狗叫过。", "有一只狗叫了。"), 2, annotator="ann")
    verdict = flag_example(store, TASKS["nli"], flagged, 2, annotator="ann")
    found = find_alike(store, TASKS["nli"], nli("七条小船在大风来临之前停在旧港口里。", "港口里有小船。"))
    assert (found["id"], found["exact"]) == (verdict, False)
    assert find_alike(store, TASKS["nli"], nli("雨下了一整夜。", "天晴了。")) is None
