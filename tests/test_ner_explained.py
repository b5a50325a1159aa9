"""Why words were taken for entities, and entities of texts beyond the window."""

from __future__ import annotations

import numpy as np
import pytest

from components import long_text, probe, span_marks
from data.tasks.spans import Span
from data.versions import live_version
from models.attribution import gradient_x_input, integrated_gradients, leave_one_out
from models.folders import STARTERS
from models.long_context import cut_windows, predict_long
from models.predictor import Predictor
from models.registry import folder_of
from tests.test_ner import EXAMPLE, NER, SPANS, probe_values

FACT = "Nobody from Siemens objected when Anna Keller read the report in Oslo."
LONG = {"text": " ".join([FACT] * 40)}


@pytest.fixture(scope="module")
def starter():
    return Predictor.load(STARTERS / "ner")


@pytest.fixture
def tiny(tiny_settings, tiny_store):
    return Predictor.load(folder_of(tiny_settings, tiny_store, live_version(tiny_store, "ner")))


def log_odds(predictor, example, span):
    """Of a span's type, summed over its words: as the model's probabilities say."""
    (said,) = predictor.predict([example])
    columns = [tag.endswith(f"-{span.label}") for tag in said.tags]
    total = 0.0
    for (start, end), row in zip(said.words, np.exp(said.log_p), strict=True):
        if span.start < end and start < span.end:
            p = row[columns].sum()
            total += np.log(p / (1 - p))
    return total


@pytest.mark.parametrize("span", [*SPANS, Span(5, 8, "ORG")])
def test_scores_of_a_span_add_up_to_its_log_odds(tiny, span):
    found = integrated_gradients(tiny, EXAMPLE, (span,))
    assert found.is_complete
    assert "".join(word.text for word in found.segments[0]) == EXAMPLE["text"]
    assert sum(word.score for word in found.segments[0]) == pytest.approx(found.attributed, abs=1e-4)


def test_a_word_left_out_scores_what_the_log_odds_fall_by(tiny):
    span = Span(0, 8, "PER")
    question = integrated_gradients(tiny, EXAMPLE, (span,))
    (words,) = leave_one_out(tiny, EXAMPLE, (span,)).segments
    assert [word.text for word in words] == [word.text for word in question.segments[0]]
    assert all(word.score for word in words[:2])  # also its own words can be left out
    padded = {"text": "Anna met [PAD] [PAD] in Oslo."}  # for the tokens b and ##o
    fall = log_odds(tiny, EXAMPLE, span) - log_odds(tiny, padded, span)
    assert words[2].score == pytest.approx(fall, abs=1e-3)


def test_several_spans_are_explained_together(tiny):
    totals = [leave_one_out(tiny, EXAMPLE, (span,)).segments[0][1].score for span in SPANS]
    assert leave_one_out(tiny, EXAMPLE, SPANS).segments[0][1].score == pytest.approx(sum(totals), abs=1e-3)


def test_the_starter_looks_at_the_name_and_the_word_before_it(starter):
    example = {"text": "She moved to Reading in May."}
    for method in (integrated_gradients, leave_one_out):
        (words,) = method(starter, example, (Span(13, 20, "LOC"),)).segments
        ranked = sorted(words, key=lambda word: -word.score)
        assert {word.text.strip() for word in ranked[:2]} == {"Reading", "to"}


@pytest.mark.parametrize("method", [integrated_gradients, gradient_x_input, leave_one_out])
def test_a_span_beyond_what_is_explained_is_refused(starter, method):
    end = len(LONG["text"])
    with pytest.raises(ValueError, match=r"'Oslo' lies beyond the first 256 tokens.*Shorten"):
        method(starter, LONG, (Span(end - 5, end - 1, "LOC"),))
    with pytest.raises(ValueError, match="inside a word"):
        method(starter, EXAMPLE, (Span(0, 3, "PER"),))


def test_words_that_nearly_were_an_entity_are_told(starter):
    text = "Yesterday apple said so."
    (said,) = starter.predict([{"text": text}])
    found = said.nearly(text, least=0)
    words = [text[span.start : span.end] for span, _ in found]
    assert set(words) == {"Yesterday", "apple", "said", "so"} - {text[s.start : s.end] for s in said.label}
    assert [p for _, p in found] == sorted((p for _, p in found), reverse=True)
    assert said.nearly(text, count=1, least=0) == found[:1]
    assert said.nearly(text, least=0.999) == []


def test_the_page_explains_a_chosen_entity(lab):
    _, answer, *updates = probe.run_probe(lab, "ner", "other", *probe_values(EXAMPLE["text"]))
    box, menu = updates[5], updates[6]
    assert box["visible"] is True
    assert menu["value"] == menu["choices"][0][1]
    html = probe.explain(lab, answer, "15:19 LOC", probe.ALL_METHODS)
    assert "Oslo (LOC)" in html
    assert html.count("Which words speak for") == 3
    with pytest.raises(Exception, match="inside a word"):
        probe.explain(lab, answer, "15:18 LOC", probe.ALL_METHODS)


@pytest.mark.parametrize("pooling", ["mean", "surest"])
def test_entities_beyond_the_window_are_found_in_windows_that_are_joined(starter, pooling):
    cut, joined = (predict_long(starter, [LONG], way)[0].prediction for way in ("truncate", pooling))
    assert cut.tokens_dropped > 0 == joined.tokens_dropped
    assert joined.label[-1].start > cut.label[-1].end
    NER.check_label(joined.label, LONG)
    texts = [LONG["text"][span.start : span.end] for span in joined.label]
    assert texts.count("Anna Keller") >= 38
    assert texts.count("Oslo") >= 38
    assert len(joined.words) == len(set(joined.words))
    assert "".join(LONG["text"][start:end] for start, end in joined.words) == LONG["text"].replace(" ", "")


def test_where_windows_overlap_a_word_has_the_mean_of_them(starter):
    windows = cut_windows(starter, LONG)
    alone = starter.predict([window for _, window in windows])
    joined = starter.head.pool([(begin, said) for (begin, _), said in zip(windows, alone, strict=True)], False)
    begin, number = windows[1][0], len(alone[1].words) // 4
    start, end = alone[1].words[number]
    row = joined.words.index((begin + start, begin + end))
    other = alone[0].words.index((begin + start, begin + end))
    mean = (np.exp(alone[0].log_p[other]) + np.exp(alone[1].log_p[number])) / 2
    assert np.exp(joined.log_p[row]) == pytest.approx(mean, abs=1e-5)


def test_the_page_reads_a_long_text_in_windows_and_offers_its_spans(lab):
    text = " ".join([EXAMPLE["text"]] * 30)
    _, answer, *_ = probe.run_probe(lab, "ner", "other", *probe_values(text))
    assert long_text.show_choice(answer)[0]["visible"] is True
    html, changed = long_text.read_long(lab, answer, "mean")
    assert "window" in html
    assert changed["label"] != answer["label"]
    marks, menu = span_marks.show_spans(lab, changed)
    assert span_marks.from_marks(NER, answer["example"], marks["value"]) == changed["label"]
    assert menu["choices"]
    probe.save_right(lab, changed, "other", "ann")
    assert lab.db().execute("SELECT count(*) FROM verdicts WHERE kind = 'confirmation'").fetchone()[0] == 1
