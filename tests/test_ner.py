"""Entities: spans are read, checked, scored, learnt, varied, marked in the page and trained on."""

import json

import pytest
import torch

from components import highlight, probe, review, second_look, span_marks, twins
from data.examples import Answer, edit_verdict, flag_example, get_verdict, select_examples
from data.second_look import agreement
from data.seed import seed_rows
from data.tasks import TASKS
from data.tasks.spans import Span, span_errors, spans_of, tags_of
from data.transfer import export_rows, parse_file
from data.versions import live_versions
from models.batches import collate_rows
from models.checkpoint import load_checkpoint
from models.entities import FRAMES
from models.evaluation import metrics
from models.folders import CARD, CheckpointError, write_json
from models.kinds import detect_kind
from models.predictor import Predictor
from models.recipe import PRESETS, Recipe
from models.repair import training_rows
from models.siblings import contrasts, siblings
from models.tokens import best_path
from models.trainer import batch_loss
from models.training import train
from tests.conftest import build_tiny

NER = TASKS["ner"]
EXAMPLE = {"text": "Anna met Bo in Oslo."}
SPANS = (Span(0, 4, "PER"), Span(9, 11, "PER"), Span(15, 19, "LOC"))


def entity(start, end, label="PER"):
    return {"start": start, "end": end, "label": label}


@pytest.fixture
def tiny_ner(tiny_checkpoints, tmp_path):
    """A version folder of the tiny checkpoint for entities."""
    folder = tmp_path / "version"
    folder.mkdir()
    write_json(folder / CARD, {"id": "ner-v0", "task": "ner", "base": str(tiny_checkpoints["ner"])})
    return folder


def test_spans_are_read_from_objects_json_and_text():
    objects = [entity(15, 19, "LOC"), entity(0, 4), entity(9, 11)]
    assert NER.parse_label(objects, EXAMPLE) == SPANS
    assert NER.parse_label(json.dumps(objects), EXAMPLE) == SPANS
    assert NER.parse_label(NER.format_label(SPANS), EXAMPLE) == SPANS
    assert NER.parse_label(json.loads(json.dumps(SPANS)), EXAMPLE) == SPANS
    assert NER.format_label(SPANS) == "0:4 PER, 9:11 PER, 15:19 LOC"
    assert NER.parse_label(NER.format_label(()), EXAMPLE) == ()
    assert NER.label_text(SPANS, EXAMPLE) == "Anna (PER), Bo (PER), Oslo (LOC)"


@pytest.mark.parametrize(
    ("spans", "message"),
    [
        ([entity(0, 8), entity(5, 11)], "'Anna met'.*'met Bo'.*overlap"),
        ([entity(0, 4), entity(0, 4, "LOC")], "overlap"),
        ([entity(15, 90, "LOC")], "20 characters; found 15 to 90"),
        ([entity(-1, 4)], "found -1 to 4"),
        ([entity(4, 4)], "found 4 to 4"),
        ([entity(15, 18, "LOC")], "'Osl'.*inside a word"),
        ([entity(1, 4)], "'nna'.*inside a word"),
        ([entity(0, 5)], "white space"),
        ([entity(0, 4, "CITY")], "PER, LOC, ORG, MISC; found 'CITY'"),
        ([entity(0.0, 4)], "whole numbers"),
        ([{"start": 0}], "start, end and label"),
        (["Anna"], "start, end and label"),
        ("Anna is a person", "0:4 PER"),
        ("[{", "JSON"),
        (3, "list of spans; found int"),
    ],
)
def test_a_bad_span_is_refused_with_what_is_wrong(spans, message):
    with pytest.raises(ValueError, match=message):
        NER.parse_label(spans, EXAMPLE)


def test_words_without_spaces_between_them_may_be_parted():
    assert NER.parse_label([entity(0, 2, "LOC")], {"text": "東京に行く"}) == (Span(0, 2, "LOC"),)


@pytest.mark.parametrize(
    ("found", "error"),
    [
        ([], "missed"),
        ([Span(0, 8, "PER")], "boundary"),
        ([Span(0, 4, "LOC")], "type"),
        ([Span(0, 4, "PER"), Span(9, 11, "PER")], "invented"),
    ],
)
def test_each_error_of_a_span_is_named(found, error):
    errors = span_errors((Span(0, 4, "PER"),), tuple(found))
    assert errors.pop(error) == 1
    assert set(errors) <= {"right"}


def test_tags_give_the_spans_back():
    words = [(0, 4), (5, 8), (9, 11), (12, 14), (15, 19), (19, 20)]
    tags = tags_of(SPANS, words)
    assert tags == ["B-PER", "O", "B-PER", "O", "B-LOC", "O"]
    assert spans_of(tags, words) == SPANS
    assert spans_of(["O", "I-PER", "I-PER", "B-PER", "I-LOC", "O"], words) == (
        Span(5, 11, "PER"),
        Span(12, 14, "PER"),
        Span(15, 19, "LOC"),
    )


def test_no_span_goes_on_that_did_not_begin():
    log_p = torch.tensor([[0.5, 0.05, 0.45], [0.1, 0.3, 0.6], [0.1, 0.2, 0.7]]).log().numpy()
    assert best_path(log_p, ["O", "B-PER", "I-PER"]) == [0, 1, 2]


def test_scores_are_of_whole_spans_as_a_hand_counts_them(tiny_ner):
    predictor = Predictor.load(tiny_ner)
    rows = seed_rows(NER, "validation")[:40]
    said = predictor.predict([row["example"] for row in rows])
    labels = [row["label"] for row in rows]
    found = metrics(NER, said, labels)
    hits = sum(len(set(p.label) & set(y)) for p, y in zip(said, labels, strict=True))
    assert found["precision"] == pytest.approx(hits / sum(len(p.label) for p in said))
    assert found["recall"] == pytest.approx(hits / sum(map(len, labels)))
    assert sum(found["span_errors"].values()) >= sum(map(len, labels))
    perfect = metrics(NER, [type("P", (), {"label": y}) for y in labels], labels)
    assert (perfect["f1"], perfect["accuracy"]) == (1.0, 1.0)


def test_probability_of_the_answer_is_that_of_all_its_words(tiny_ner):
    predictor = Predictor.load(tiny_ner)
    (said,) = predictor.predict([EXAMPLE])
    assert said.probabilities == [pytest.approx(said.probability(said.label))]
    assert said.probability(SPANS) <= 1
    batch = predictor.predict([{"text": "A much longer text, about Ida and nobody else at all."}, EXAMPLE])
    assert batch[1].label == said.label
    assert batch[1].confidence == pytest.approx(said.confidence, abs=1e-4)


def test_a_text_that_does_not_fit_says_so(tiny_ner):
    (said,) = Predictor.load(tiny_ner).predict([{"text": "Oslo " * 200}])
    assert said.tokens_dropped > 50


def test_texts_are_learnt_by_heart_and_the_child_is_a_version(tmp_path, tiny_checkpoints):
    folder = tmp_path / "job"
    (folder / "parent").mkdir(parents=True)
    card = {"id": "ner-v0", "task": "ner", "base": str(tiny_checkpoints["ner"])}
    write_json(folder / "parent" / CARD, card)
    recipe = Recipe(rank=8, learning_rate=5e-3, epochs=60, batch_size=4, data="corrections")
    write_json(
        folder / "job.json", {"task": "ner", "version": "ner-v1", "parent": "ner-v0", "recipe": recipe.to_dict()}
    )
    rows = seed_rows(NER, "retention")[:8]
    lines = [json.dumps({**row["example"], "label": row["label"]}) for row in rows]
    (folder / "train.jsonl").write_text("\n".join(lines) + "\n")
    said = Predictor.load(train(folder, "cpu")).predict([row["example"] for row in rows])
    assert sum(p.label == row["label"] for p, row in zip(said, rows, strict=True)) >= 7


def test_a_type_that_a_source_never_marks_takes_no_part_in_the_loss(tiny_ner):
    head = load_checkpoint(tiny_ner).head
    encoded = head.encode([EXAMPLE])
    items = [(encoded[0], SPANS, 1.0, None, ("MISC",))]
    batch = collate_rows(items, head)
    logits = torch.randn(1, encoded[0].labels, len(NER.outputs))
    arguments = (batch["labels"], batch["weights"], None, Recipe())
    before = batch_loss(logits, *arguments, batch["unmarked"])
    logits[..., -2:] += 5
    assert batch_loss(logits, *arguments, batch["unmarked"]) == pytest.approx(before.item())
    assert batch_loss(logits, *arguments) > before + 1


def test_capitals_reach_the_embedded_encoder_by_segments(tiny_ner):
    from dataclasses import replace

    head = replace(load_checkpoint(tiny_ner).head, case_types=True)
    (encoded,) = head.encode([EXAMPLE])
    kinds = [encoded.token_type_ids[i] for i in encoded.first_tokens]
    assert kinds == [1, 0, 1, 0, 1, 0]


def test_a_checkpoint_of_another_sort_is_refused(tiny_checkpoint, tiny_lm, tmp_path):
    with pytest.raises(CheckpointError, match="token-classification"):
        detect_kind(NER, str(tiny_lm))
    with pytest.raises(CheckpointError, match="token-classification"):
        detect_kind(NER, str(tiny_checkpoint))
    other = build_tiny(tmp_path / "other", "ner", labels=("O", "B-CITY", "I-CITY"))
    write_json(other / CARD, {"id": "x", "task": "ner", "base": str(other)})
    with pytest.raises(CheckpointError, match="B-PER"):
        load_checkpoint(other)


def test_siblings_exchange_names_of_one_type_and_keep_the_rest():
    made = siblings(NER, EXAMPLE, SPANS, count=8)
    assert len(made) == 8
    for variant in made:
        text = variant.example["text"]
        assert [s.label for s in variant.label] == ["PER", "PER", "LOC"]
        names = [text[s.start : s.end] for s in variant.label]
        assert text == "{} met {} in {}.".format(*names)
        assert text != EXAMPLE["text"]
    assert made == siblings(NER, EXAMPLE, SPANS, count=8)


def test_a_repeated_name_becomes_the_same_other_one():
    example = {"text": "oslo is oslo"}
    spans = NER.parse_label("0:4 LOC, 8:12 LOC", example)
    for variant in siblings(NER, example, spans, count=4):
        first, second = (variant.example["text"][s.start : s.end] for s in variant.label)
        assert first == second == first.lower()


def test_contrasts_give_the_same_name_another_type():
    made = contrasts(NER, EXAMPLE, SPANS, count=6)
    assert len(made) == 6
    for variant in made:
        ((start, end, label),) = variant.label
        name = variant.example["text"][start:end]
        assert variant.example["text"].replace(name, "{}", 1) in FRAMES[label]
        assert (name, label) not in {("Anna", "PER"), ("Bo", "PER"), ("Oslo", "LOC")}


def test_a_text_without_entities_has_no_variants():
    assert siblings(NER, {"text": "It rains."}, (), count=3) == []
    assert contrasts(NER, {"text": "It rains."}, (), count=3) == []


def test_flag_is_stored_edited_exported_and_trained_on(tiny_store, tmp_path):
    store, version = tiny_store, live_versions(tiny_store)["ner"]
    said = Answer((Span(0, 4, "PER"),), [0.4], version)
    for text in ("Anna met Bo in Oslo.", "Anna met Bo in Oslo again.", "Oh, Anna met Bo in Oslo."):
        start = text.index("Anna")
        spans = tuple(Span(a + start, b + start, label) for a, b, label in SPANS)
        flag_example(store, NER, {"text": text}, spans, annotator="ann", answer=said, category="missed")
    verdict = get_verdict(store, 1)
    assert (verdict["kind"], verdict["predicted_label"]) == ("correction", "0:4 PER")
    edit_verdict(store, 1, expected="0:4 PER", by="ann")
    assert get_verdict(store, 1)["kind"] == "confirmation"
    edit_verdict(store, 1, expected=[s._asdict() for s in SPANS], by="ann")
    rows = list(export_rows(store, NER))
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert parse_file(path, NER).rows[0].label == SPANS
    selection = select_examples(store, NER, None)
    made = training_rows(NER, selection, PRESETS["quick"])
    assert len(made) > 30
    for row in json.loads(json.dumps(made)):
        assert NER.parse_stored(row["label"], {"text": row["text"]}) is not None


def test_a_flag_with_a_bad_span_stores_nothing(store):
    with pytest.raises(ValueError, match="inside a word"):
        flag_example(store, NER, EXAMPLE, (Span(0, 3, "PER"),), annotator="ann")
    assert store["verdicts"].count == 0


def test_entities_of_a_file_are_read(tmp_path):
    path = tmp_path / "rows.jsonl"
    good = {"text": EXAMPLE["text"], "entities": [s._asdict() for s in SPANS]}
    bad = {**good, "entities": [entity(0, 8), entity(5, 11)]}
    path.write_text(json.dumps(good) + "\n" + json.dumps(bad) + "\n")
    parsed = parse_file(path, NER)
    assert [row.label for row in parsed.rows] == [SPANS]
    ((line, reason),) = parsed.refused
    assert line == 2
    assert "overlap" in reason


def test_marks_give_the_spans_back():
    marks = span_marks.to_marks(EXAMPLE["text"], SPANS)
    assert marks == "[Anna](PER) met [Bo](PER) in [Oslo](LOC)."
    assert span_marks.from_marks(NER, EXAMPLE, marks) == SPANS
    assert span_marks.from_marks(NER, EXAMPLE, EXAMPLE["text"]) == ()
    link = {"text": "[Anna](http://a.example) and [1] met."}
    assert span_marks.from_marks(NER, link, link["text"]) == ()


@pytest.mark.parametrize(
    ("marks", "message"),
    [
        ("[Anna](PER) met Bob in Oslo.", "another text"),
        ("[Ann](PER)a met Bo in Oslo.", "inside a word"),
        ("[Anna ](PER)met Bo in Oslo.", "white space"),
        ("[Anna](CITY) met Bo in Oslo.", "found 'CITY'"),
        (None, "another text"),
    ],
)
def test_marks_that_cannot_be_say_what_is_wrong(marks, message):
    with pytest.raises(ValueError, match=message):
        span_marks.from_marks(NER, EXAMPLE, marks)


def test_marked_text_is_escaped():
    html = highlight.marked_spans("<b> & Oslo", [(6, 10, "LOC")])
    assert "&lt;b&gt; &amp; " in html
    assert "LOC" in html


def test_answer_is_shown_corrected_and_stored(lab):
    values = probe_values(EXAMPLE["text"])
    html, answer, *_, marks = probe.run_probe(lab, "ner", "other", *values)
    assert "entit" in html
    assert span_marks.from_marks(NER, EXAMPLE, marks["value"]) == answer["label"]
    probe.save_wrong(lab, answer, None, "missed", "", "ann", None, span_marks.to_marks(EXAMPLE["text"], SPANS))
    verdict = get_verdict(lab.db(), 1)
    assert NER.parse_label(verdict["expected_label"], EXAMPLE) == SPANS
    assert verdict["category"] == "missed"


def test_a_task_offers_its_own_categories(lab):
    spot = probe.change_task(lab, "ner")[-6]
    assert [value for _, value in spot["choices"]] == list(NER.categories)
    assert spot["value"] in NER.categories


def test_marks_of_a_stored_flag_are_edited_in_review(lab):
    said = Answer((), [0.4], live_versions(lab.db())["ner"])
    flag_example(lab.db(), NER, EXAMPLE, SPANS[:1], annotator="ann", answer=said, category="missed")
    _, _, menu, marks, *_ = review.open_verdict(lab, 1)
    assert (menu["visible"], marks["value"]) == (False, span_marks.to_marks(EXAMPLE["text"], SPANS[:1]))
    review.save_changes(lab, 1, None, "missed", "", "ann", span_marks.to_marks(EXAMPLE["text"], SPANS))
    assert NER.parse_label(get_verdict(lab.db(), 1)["expected_label"], EXAMPLE) == SPANS
    review.save_changes(lab, 1, None, "missed", "", "ann", EXAMPLE["text"])
    assert get_verdict(lab.db(), 1)["kind"] == "confirmation"
    with pytest.raises(Exception, match="inside a word"):
        review.save_changes(lab, 1, None, "missed", "", "ann", "[An](PER)na met Bo in Oslo.")


def test_twins_of_a_flag_are_judged_with_one_key(lab):
    _, answer, *_ = probe.run_probe(lab, "ner", "other", *probe_values(EXAMPLE["text"]))
    saved = probe.save_wrong(lab, answer, None, "type", "", "ann", None, span_marks.to_marks(EXAMPLE["text"], SPANS))
    verdict_id = lab.db().execute("SELECT max(id) FROM verdicts").fetchone()[0]
    assert saved
    _, state, shown, first, *_ = twins.offer(lab, answer, verdict_id)
    row = state["rows"][0]
    assert "(PER)" in first["value"]
    assert "(LOC)" in shown
    state = twins.judge(lab, state, 0, "ann")[1]
    stored = get_verdict(lab.db(), state["rows"][0]["verdict_id"])
    assert stored["example"] == row["example"]
    assert NER.parse_label(stored["expected_label"], stored["example"]) == row["label"]
    assert stored["origin"].startswith("sibling")


def test_a_second_person_marks_the_text_without_seeing_the_first_ones_spans(lab):
    said = Answer((), [0.4], live_versions(lab.db())["ner"])
    flag_example(lab.db(), NER, EXAMPLE, SPANS, annotator="ann", answer=said, category="missed")
    html, label, *_, marks, example_id = second_look.show_next(lab, "ner", "bea", [])
    assert EXAMPLE["text"] in html
    assert (label["visible"], marks["value"]) == (False, EXAMPLE["text"])
    with pytest.raises(Exception, match="inside a word"):
        second_look.give_verdict(lab, "ner", example_id, None, "bea", "[An](PER)na met Bo in Oslo.")
    second_look.give_verdict(lab, "ner", example_id, None, "bea", span_marks.to_marks(EXAMPLE["text"], SPANS))
    assert get_verdict(lab.db(), 2)["state"] == "confirmed"
    assert select_examples(lab.db(), NER, None).rows[0]["label"] == SPANS


def test_people_who_mark_differently_are_in_conflict_and_nothing_is_softened(store):
    for who, spans in (("ann", SPANS), ("bea", SPANS[:1]), ("cem", ())):
        flag_example(store, NER, EXAMPLE, spans, annotator=who)
    found = select_examples(store, NER, None, disputed=True)
    assert (found.rows, len(found.conflicts)) == ([], 1)
    assert agreement(store, NER)["fleiss"] is None


def probe_values(text):
    from components.task_form import input_count

    return [text if name == "ner" else "" for name, task in TASKS.items() for _ in range(input_count(task))]
