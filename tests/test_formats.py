"""Other tools' exports are read as they write them; what is personal is masked; a data card says what is in there."""

import json
import zipfile

import pyarrow
import pytest
from pyarrow import parquet

from data.examples import flag_example, get_verdict
from data.masking import mask
from data.tasks import TASKS
from data.transfer import export_file, import_rows, parse_file, without_known
from tests.conftest import nli

NLI, SENTIMENT, COMMONSENSE = (TASKS[name] for name in ("nli", "sentiment", "commonsense"))
ANLI = {
    "uid": "0fd0abfb",
    "context": "The actor paid the doctor.",
    "hypothesis": "The doctor paid the actor.",
    "label": "n",
    "model_label": "e",
    "emturk": True,
    "reason": "roles are swapped",
    "tag": "r1",
}
LABEL_STUDIO = [
    {
        "id": 1,
        "data": {"text": "Not bad at all."},
        "annotations": [
            {
                "completed_by": {"id": 3, "email": "ann@lab"},
                "result": [
                    {"type": "choices", "from_name": "sentiment", "value": {"choices": ["Positive"]}},
                    {"type": "textarea", "value": {"text": ["litotes"]}},
                ],
            },
            {"completed_by": 4, "result": [{"type": "choices", "value": {"choices": ["Neutral"]}}]},
            {"completed_by": 5, "was_cancelled": True, "result": []},
        ],
        "predictions": [],
    },
    {"id": 2, "data": {"text": "Nobody labelled me."}, "annotations": []},
]
ARGILLA = [
    {
        "id": "a",
        "fields": {"premise": "A dog barks.", "hypothesis": "An animal makes a noise."},
        "metadata": {"phenomenon": "world knowledge"},
        "suggestions": {"label": {"value": "neutral", "score": 0.7, "agent": "model"}},
        "responses": {
            "label": [{"value": "entailment", "user_id": "u1"}, {"value": "neutral", "user_id": "u2"}],
            "comment": [{"value": "clear", "user_id": "u1"}],
        },
        "status": "completed",
    }
]


def read(tmp_path, content, task, name="rows.json"):
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    return parse_file(path, task)


def test_anli_and_dynabench_lines(tmp_path):
    lines = json.dumps(ANLI) + "\n" + json.dumps({**ANLI, "label": "x"})
    parsed = read(tmp_path, lines, NLI, "dev.jsonl")
    (row,) = parsed.rows
    assert (row.example, NLI.labels[row.label]) == (nli(), "neutral")
    assert (row.kind, row.note) == ("correction", "roles are swapped")
    assert parsed.mapping["premise"] == "context"
    assert parsed.mapping["predicted_label"] == "model_label"
    assert parsed.refused[0][0] == 2
    assert "found 'x'" in parsed.refused[0][1]


def test_label_studio_gives_a_row_for_each_annotator(tmp_path):
    parsed = read(tmp_path, json.dumps(LABEL_STUDIO), SENTIMENT)
    assert [(SENTIMENT.labels[r.label], r.annotator, r.note) for r in parsed.rows] == [
        ("positive", "ann@lab", "litotes"),
        ("neutral", "annotator 4", ""),
    ]
    assert parsed.refused == [(2, "has no label")]


def test_argilla_gives_a_row_for_each_response(tmp_path):
    parsed = read(tmp_path, json.dumps(ARGILLA), NLI)
    assert [(NLI.labels[r.label], r.annotator, r.category, r.note) for r in parsed.rows] == [
        ("entailment", "u1", "world knowledge", "clear"),
        ("neutral", "u2", "world knowledge", ""),
    ]


def test_choices_as_commonsense_sets_write_them(tmp_path):
    row = {
        "question": {"stem": "x"},
        "question_stem": "What melts?",
        "choices": {"label": ["A", "B"], "text": ["ice", "stone"]},
        "answerKey": "A",
    }
    row = {**row, "question": "", "label": "B"}
    parsed = read(tmp_path, json.dumps(row), COMMONSENSE, "rows.jsonl")
    assert parsed.refused == []
    assert (parsed.rows[0].example["choices"], parsed.rows[0].label) == (["ice", "stone"], 1)


def test_a_datasets_folder_names_its_classes(tmp_path):
    """As `save_to_disk` writes it: Arrow streams whose schema carries the features."""
    features = {"label": {"names": ["contradiction", "entailment", "neutral"], "_type": "ClassLabel"}}
    table = pyarrow.table({**{k: [v, v] for k, v in nli().items()}, "label": [0, 2]})
    table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    folder = tmp_path / "set" / "train"
    folder.mkdir(parents=True)
    with pyarrow.ipc.new_stream(folder / "data-00000-of-00001.arrow", table.schema) as writer:
        writer.write_table(table)
    (folder / "state.json").write_text("{}")
    parquet.write_table(table, tmp_path / "set" / "more.parquet")
    parsed = parse_file(tmp_path / "set", NLI)
    assert [NLI.labels[row.label] for row in parsed.rows] == ["contradiction", "neutral"] * 2
    assert len(parsed.repeated) == 2
    with pytest.raises(ValueError, match="holds no rows"):
        parse_file(_empty(tmp_path), NLI)


def test_the_datasets_library_reads_our_export_and_we_read_what_it_saves(store, tmp_path, monkeypatch):
    """load_dataset on the unpacked export, class labels cast, save_to_disk; nothing is lost on the way."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets", reason="needs the library: pip install datasets==5.2.0")
    for number in range(24):
        flag_example(store, NLI, nli(f"Dog {number} barks, \u201c\u4f60\u597d\u201d."), number % 3, annotator="ann")
    export_file(store, NLI, tmp_path / "set.zip", "datasets", licence="cc-by-4.0")
    with zipfile.ZipFile(tmp_path / "set.zip") as archive:
        archive.extractall(tmp_path / "set")
    loaded = datasets.load_dataset(str(tmp_path / "set"), cache_dir=str(tmp_path / "cache"))
    ours = parse_file(tmp_path / "set.zip", NLI)
    assert sum(split.num_rows for split in loaded.values()) == len(ours.rows) == 24
    assert set(loaded) == {path.stem for path in (tmp_path / "set" / "data").iterdir()}
    loaded.cast_column("label", datasets.ClassLabel(names=["neutral", "entailment", "contradiction"])).save_to_disk(
        str(tmp_path / "saved")
    )
    back = parse_file(tmp_path / "saved", NLI)
    assert back.refused == []
    content = [{(row.example["premise"], row.label, row.kind, row.annotator) for row in p.rows} for p in (ours, back)]
    assert content[0] == content[1]


def _empty(tmp_path):
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder


def test_what_the_store_has_is_left_out(store, tmp_path):
    flag_example(store, NLI, nli(), 1, annotator="ann")
    lines = "\n".join(json.dumps({**ANLI, "annotator": name}) for name in ("ann", "bea", "bea"))
    parsed = read(tmp_path, lines, NLI, "rows.jsonl")
    fresh, known = without_known(store, NLI, parsed, "me")
    assert ([row.annotator for row in fresh.rows], known) == (["bea"], 2)


def test_a_datasets_export_comes_back_with_its_card(store, tmp_path):
    for number in range(12):
        flag_example(store, NLI, nli(f"Dog {number} barks."), number % 3, annotator="ann|x", category="negation")
    path = tmp_path / "set.zip"
    assert export_file(store, NLI, path, "datasets", licence="cc-by-4.0") == 12
    card = zipfile.ZipFile(path).read("README.md").decode()
    for part in (
        'license: "cc-by-4.0"',
        "12 verdicts of 1 annotators",
        "| negation | 12 |",
        "12 claimed",
        "data/train",
    ):
        assert part in card
    parsed = parse_file(path, NLI)
    assert (len(parsed.rows), parsed.refused) == (12, [])
    (tmp_path / "bad.zip").write_bytes(b"nope")
    with pytest.raises(ValueError, match="not a zip"):
        parse_file(tmp_path / "bad.zip", NLI)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Write to ann.lee@example.org now.", "Write to <email> now."),
        ("Call +44 20 7946 0958 now.", "Call <phone> now."),
        ("Card 4111 1111 1111 1111.", "Card <card>."),
        ("IBAN DE89 3704 0044 0532 0130 00.", "IBAN <account>."),
        ("SSN 536-90-4399.", "SSN <identity>."),
        ("See https://example.org/a?b=1 today.", "See <url> today."),
        ("3 boats, 1,000 dogs in 2024. He left.Then she ran.", "3 boats, 1,000 dogs in 2024. He left.Then she ran."),
    ],
)
def test_what_is_personal_is_masked(text, masked):
    assert mask(text) == masked


def test_an_export_is_masked_where_asked_for(store, tmp_path):
    verdict = flag_example(store, NLI, nli("Ann is ann@example.org."), 1, annotator="ann", note="see www.example.org")
    export_file(store, NLI, tmp_path / "rows.jsonl", "jsonl", masked=True)
    text = (tmp_path / "rows.jsonl").read_text(encoding="utf-8")
    assert "example.org" not in text
    assert "Ann is <email>." in text
    assert "ann@example.org" in get_verdict(store, verdict)["example"]["premise"]


def test_progress_is_told(store, tmp_path):
    lines = "\n".join(json.dumps({**ANLI, "context": f"Dog {i} barks."}) for i in range(2000))
    told = []
    parsed = read(tmp_path, lines, NLI, "rows.jsonl")
    import_rows(store, NLI, parsed, annotator="ann", on_progress=lambda done, total: told.append((done, total)))
    assert told == [(2000, 2000)]
