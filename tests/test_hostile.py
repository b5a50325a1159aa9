"""Hostile text is stored or refused with a reason, shown inert, found, and comes back from an export as it was."""

import contextlib
import csv
import io
import re

import pytest

from components import highlight, review, steps_panel
from components.bulk_form import show_preview
from components.context import Lab
from components.filter_form import NOTHING_CHOSEN
from components.second_look import show_next
from data.examples import flag_example, get_verdict
from data.finding import find_page, save_view, saved_views
from data.queries import Filters
from data.store import open_store
from data.tasks import TASKS
from data.transfer import FORMULA_STARTS, export_file, import_rows, parse_file
from settings import Settings
from tests.conftest import nli
from tests.hostile import HOSTILE

TASK = TASKS["nli"]
OURS = re.compile(
    r"</?(b|s|p|br|li|ol|div|span|table|tr|td|th|small|mark|i|code|kbd)( (class|style|role)=\"[^\"<>]*\")*/?>"
)
"""The markup that our own pages are made of; whatever else has an angle bracket came from a person."""


@pytest.fixture
def flagged(store):
    """Ids of the hostile texts that are taken, as premise, note and annotator; the reasons of the others."""
    ids, refused = {}, {}
    for name, text in HOSTILE.items():
        try:
            ids[name] = flag_example(
                store, TASK, nli(text, f"about {name}"), 1, annotator=f"x{text[:200]}", note=text[:5000]
            )
        except ValueError as error:
            refused[name] = str(error)
    return ids, refused


def test_there_are_many_and_only_sheer_size_is_refused(flagged):
    ids, refused = flagged
    assert len(HOSTILE) >= 40
    assert set(refused) == {"ten megabytes"}
    assert "at most 100,000 characters" in refused["ten megabytes"]
    assert len(ids) == len(HOSTILE) - 1


def test_all_are_shown_inert(settings, store, flagged):
    lab = Lab(settings)
    ids, _ = flagged
    html = []
    for name, verdict_id in ids.items():
        row = get_verdict(store, verdict_id)
        html += [
            highlight.example_text(TASK, row["example"]),
            steps_panel.history_html(lab, verdict_id),
            review.open_verdict(lab, verdict_id)[1],
            highlight.problem(HOSTILE[name]),
        ]
    html += [show_next(lab, "nli", "somebody", [])[0]]
    html += [show_preview(lab, "Assign the second look", HOSTILE["image"], "nli", *NOTHING_CHOSEN)[0]]
    for text in html:
        left = OURS.sub("", text)
        assert "<" not in left, left[:300]


def test_all_can_be_looked_for_and_kept_as_a_view(store, flagged):
    for text in HOSTILE.values():
        filters = Filters(task="nli", search=text[:1000], annotator=text[:100])
        assert find_page(store, filters).total >= 0
        with contextlib.suppress(ValueError):  # a name of over 80 characters, or of none
            save_view(store, text, filters, "newest", by="ann")
    views = saved_views(store)
    assert len(views) > 20
    assert all(0 < len(name) <= 80 for name in views)


@pytest.mark.parametrize("format", ["csv", "jsonl", "parquet"])
def test_all_are_exported_safe_and_come_back(store, flagged, tmp_path, format):
    path = tmp_path / f"rows.{format}"
    assert export_file(store, TASK, path, format) == len(flagged[0])
    if format == "csv":
        for row in csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline="")):
            assert not any(cell.startswith(FORMULA_STARTS) for cell in row)
    parsed = parse_file(path, TASK)
    assert parsed.refused == []
    db = open_store(Settings(workspace=tmp_path / "again").store)
    again = import_rows(db, TASK, parsed, annotator="ann")
    columns = ("example", "expected_label", "kind", "category", "note", "annotator")
    for first, second in zip(flagged[0].values(), again, strict=True):
        one, other = get_verdict(store, first), get_verdict(db, second)
        assert {name: one[name] for name in columns} == {name: other[name] for name in columns}
