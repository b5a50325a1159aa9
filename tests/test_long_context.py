"""A text beyond the window is read in windows, whose answers are pooled as was said."""

import pytest

from components.long_text import read_long, run_needle, show_choice, show_needle
from components.probe import run_probe
from data.suites.needle import DEPTHS, NAMES, needle_rows
from data.tasks import TASKS
from data.versions import live_version
from models.long_context import cut_windows, needle_cells, predict_long
from tests.conftest import BY_LABEL, MAX_TOKENS
from tests.test_components import values_of

LONG = {"text": " ".join(["dog cat bird"] * 60 + ["great"] + ["house tree"] * 40)}


@pytest.fixture
def predictor(lab):
    return lab.serving.predictor("sentiment")


def test_windows_cover_the_text_and_fit(predictor):
    starts, windows = zip(*cut_windows(predictor, LONG), strict=True)
    assert len(windows) > 2
    assert all(LONG["text"].startswith(w["text"], begin) for begin, w in zip(starts, windows, strict=True))
    assert LONG["text"].startswith(windows[0]["text"])
    assert LONG["text"].endswith(windows[-1]["text"])
    assert any("great" in window["text"] for window in windows)
    encoded = predictor.encode(windows)
    assert all(one.tokens_dropped == 0 and one.length <= MAX_TOKENS for one in encoded)
    words = [len(window["text"].split()) for window in windows[:-1]]
    ends = LONG["text"].split()
    assert windows[1]["text"].split()[0] == ends[words[0] // 2]  # each begins in the middle of the one before


def test_a_text_that_fits_is_one_window(predictor):
    short = {"text": "dog cat"}
    assert cut_windows(predictor, short) == [(0, short)]
    (found,) = predict_long(predictor, [short], "mean")
    assert found.windows == []
    assert found.prediction == predictor.predict([short])[0]


def test_pooling_is_what_it_says(predictor):
    alone = predictor.predict([window for _, window in cut_windows(predictor, LONG)])
    mean, surest, cut = (predict_long(predictor, [LONG], way)[0].prediction for way in ("mean", "surest", "truncate"))
    assert mean.probabilities == pytest.approx(
        [sum(column) / len(alone) for column in zip(*(p.probabilities for p in alone), strict=True)], abs=1e-5
    )
    assert max(surest.probabilities) == pytest.approx(max(max(p.probabilities) for p in alone), abs=1e-5)
    assert (mean.tokens_dropped, cut) == (0, predictor.predict([LONG])[0])
    with pytest.raises(ValueError, match="truncate, mean, surest; found 'best'"):
        predict_long(predictor, [LONG], "best")


def test_texts_that_leave_no_window_are_refused(lab):
    both = {"premise": "dog " * 200, "hypothesis": "cat " * 190}
    with pytest.raises(ValueError, match="no window is left"):
        predict_long(lab.serving.predictor("nli"), [both], "mean")


@pytest.mark.parametrize("name", BY_LABEL)
def test_the_needle_stands_where_it_should(name):
    task = TASKS[name]
    for depth in DEPTHS:
        rows = needle_rows(task, depth, 300, 4)
        assert len(rows) == 4
        for row in rows:
            sentences = row["example"][task.split_field].split(". ")
            assert 300 <= len(row["example"][task.split_field].split()) <= 320
            place = [i for i, sentence in enumerate(sentences) if any(name in sentence for name in NAMES)]
            assert place[0] / (len(sentences) - 1) == pytest.approx(depth, abs=0.05)
    same = [needle_rows(task, depth, 200, 3)[0]["label"] for depth in DEPTHS]
    assert len(set(same)) == 1


def test_the_map_is_filled_cell_by_cell(predictor):
    cells = list(needle_cells(predictor, "mean", rows=2, lengths=(60, 150), depths=(0.0, 1.0)))
    assert [(cell["words"], cell["depth"]) for cell in cells] == [(60, 0.0), (60, 1.0), (150, 0.0), (150, 1.0)]
    assert all(0 <= cell["right"] <= cell["rows"] == 2 for cell in cells)


def test_the_page_offers_windows_where_the_text_is_too_long(lab, monkeypatch):
    _, answer, *_ = run_probe(lab, "sentiment", "other", *values_of("sentiment", {"text": "dog"}))
    assert show_choice(answer)[0]["visible"] is False
    _, answer, *_ = run_probe(lab, "sentiment", "other", *values_of("sentiment", LONG))
    assert show_choice(answer)[0]["visible"] is True
    html, changed = read_long(lab, answer, "mean")
    assert "window" in html
    found = predict_long(lab.serving.predictor("sentiment"), [LONG], "mean")[0].prediction
    assert (changed["reading"], changed["label"]) == ("mean", found.label)

    monkeypatch.setattr("models.long_context.needle_cells.__defaults__", (2, (60,), (0.0, 1.0), 0))
    version_id = live_version(lab.db(), "sentiment")
    assert "Not run yet" in show_needle(lab, "sentiment", version_id, "mean")[0]
    steps = list(run_needle(lab, "sentiment", version_id, "mean"))
    assert "of 4 texts" in steps[-1][0]
    assert show_needle(lab, "sentiment", version_id, "mean")[1]["visible"] is True
