"""What goes out comes back; what is malformed is refused by line; no file is half-written."""

import json

import pandas
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from data.examples import Answer
from data.queries import Filters, count_verdicts, find_verdicts
from data.store import open_store
from data.tasks import TASKS, clean_text
from data.transfer import atomic_path, export_file, import_rows, parse_file
from data.versions import add_version
from tests.conftest import nli

TASK = TASKS["nli"]
TEXT = st.one_of(
    st.text(st.characters(exclude_categories=()), min_size=1, max_size=30),
    st.sampled_from(["=1+1", "'=1+1", "''-1", "+a", "@x", 'say "hi"', "a\nb", "a\r\nb", "a,b;c\td", "\u2028x", "'"]),
).filter(clean_text)


@pytest.fixture
def write(tmp_path):
    """Writes the lines to a file of that name and gives its path."""

    def write_lines(name, *lines):
        path = tmp_path / name
        path.write_text("\n".join(x if isinstance(x, str) else json.dumps(x) for x in lines) + "\n", "utf-8")
        return path

    return write_lines


def labelled(premise="A dog barks.", label="neutral", **more):
    return {**nli(premise), "label": label, **more}


def round_trip(tmp_path_factory, task, rows, format):
    """The rows as they were read first, and as they are read back from the export of their store."""
    folder = tmp_path_factory.mktemp("transfer")
    source, exported = folder / "rows.jsonl", folder / f"out.{format}"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    db = open_store(folder / "blindspot.db")
    import_rows(db, task, parse_file(source, task), annotator="nobody")
    assert export_file(db, task, exported, format) == len(rows)
    db.close()
    parsed = [parse_file(path, task) for path in (source, exported)]
    assert [p.refused for p in parsed] == [[], []]
    return [[contents(row) for row in p.rows] for p in parsed]


def contents(row):
    """What a round trip has to keep."""
    return row.example, row.label, row.kind, row.category, clean_text(row.note), clean_text(row.annotator)


@pytest.mark.parametrize("format", ["jsonl", "csv"])
@given(
    rows=st.lists(
        st.fixed_dictionaries(
            {
                "premise": TEXT,
                "hypothesis": TEXT,
                "label": st.sampled_from(TASK.labels),
                "note": TEXT,
                "annotator": TEXT,
                "phenomenon": st.sampled_from(TASK.categories),
                "kind": st.sampled_from(["correction", "confirmation"]),
            }
        ),
        max_size=4,
        unique_by=lambda row: (" ".join(row["premise"].split()), " ".join(row["hypothesis"].split())),
    )
)
@hypothesis_settings(max_examples=25)
def test_export_is_read_back_as_it_was(tmp_path_factory, format, rows):
    before, after = round_trip(tmp_path_factory, TASK, rows, format)
    assert after == before


@pytest.mark.parametrize("format", ["jsonl", "csv"])
@given(
    texts=st.lists(TEXT, min_size=2, max_size=5, unique_by=lambda t: clean_text(t).casefold()),
    label=st.sampled_from([0, 1]),
)
@hypothesis_settings(max_examples=25)
def test_choices_are_read_back_as_they_were(tmp_path_factory, format, texts, label):
    row = {"question": "Which?", "choices": texts, "label": label, "kind": "correction", "annotator": "ann"}
    before, after = round_trip(tmp_path_factory, TASKS["commonsense"], [row], format)
    assert after == before


def test_number_among_choices_is_read_back_as_its_place(tmp_path_factory):
    row = {"question": "Two minus one?", "choices": ["1", "0"], "label": 0, "kind": "correction", "annotator": "ann"}
    before, after = round_trip(tmp_path_factory, TASKS["commonsense"], [row], "csv")
    assert after == before


def test_spreadsheet_runs_no_cell(store, write, tmp_path):
    import_rows(store, TASK, parse_file(write("a.jsonl", labelled("=cmd|' /C calc'!A0")), TASK), annotator="ann")
    export_file(store, TASK, tmp_path / "out.csv", "csv")
    assert (tmp_path / "out.csv").read_text().splitlines()[1].startswith("'=cmd|")


def test_parquet_is_read_by_pandas(store, write, tmp_path):
    import_rows(store, TASK, parse_file(write("a.jsonl", labelled(), labelled("A cat.")), TASK), annotator="ann")
    assert export_file(store, TASK, tmp_path / "out.parquet", "parquet") == 2
    assert list(pandas.read_parquet(tmp_path / "out.parquet")["premise"]) == ["A dog barks.", "A cat."]


def test_malformed_rows_are_refused_by_line_and_the_rest_is_kept(write):
    path = write(
        "rows.jsonl",
        labelled(),
        "{not json",
        "",
        [1, 2],
        labelled(label="maybe"),
        {"premise": "A dog barks.", "label": "neutral"},
        nli(),
        labelled(phenomenon="magic"),
        labelled(kind="guess"),
        labelled(note=3),
        labelled(phenomenon=["negation"]),
        labelled(phenomenon="negation"),
    )
    parsed = parse_file(path, TASK)
    assert [row.line for row in parsed.rows] == [1, 12]
    reasons = {
        2: "not JSON",
        4: "expected an object with premise, hypothesis; found [1, 2]",
        5: "entailment, neutral, contradiction; found 'maybe'",
        6: "Hypothesis is empty",
        7: "has no label",
        8: "found 'magic'",
        9: "correction or confirmation; found 'guess'",
        10: "note: expected text",
        11: "phenomenon: expected text",
    }
    assert [line for line, _ in parsed.refused] == list(reasons)
    for line, reason in parsed.refused:
        assert reasons[line] in reason
    assert "line 2: not JSON" in parsed.summary()


def test_malformed_cells_are_refused_by_line(write):
    path = write(
        "rows.csv",
        "question,choices,label",
        'What?,"[""a"", ""b""]",1',
        "What?,a or b,1",
        'What?,"[""a"", ""b""]",2',
        'What?,"[""a""]",0',
    )
    parsed = parse_file(path, TASKS["commonsense"])
    assert [row.line for row in parsed.rows] == [2]
    assert [line for line, _ in parsed.refused] == [3, 4, 5]


def test_long_summary_is_cut(write):
    parsed = parse_file(write("rows.jsonl", *["?"] * 30), TASK)
    assert parsed.summary().endswith("and 10 more")


def test_label_may_be_absent_where_none_is_needed(write):
    row = parse_file(write("rows.jsonl", nli()), TASK, needs_label=False).rows[0]
    assert (row.label, row.example) == (None, nli())


def test_row_keeps_what_else_the_file_says(write):
    assert parse_file(write("rows.jsonl", labelled(id=7)), TASK).rows[0].record == labelled(id=7)


def test_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"nothing\.jsonl cannot be read: No such file"):
        parse_file(tmp_path / "nothing.jsonl", TASK)


def test_bytes_that_are_no_text_are_refused_by_line(tmp_path):
    (tmp_path / "rows.jsonl").write_bytes(b"{}\n\xff\xfe\n")
    with pytest.raises(ValueError, match=r"rows\.jsonl line 2: expected UTF-8"):
        parse_file(tmp_path / "rows.jsonl", TASK)


def test_byte_order_mark_is_no_part_of_the_first_row(tmp_path):
    (tmp_path / "rows.csv").write_bytes(b"\xef\xbb\xbfpremise,hypothesis,label\nA.,B.,neutral\n")
    assert len(parse_file(tmp_path / "rows.csv", TASK).rows) == 1


def test_deeply_nested_json_is_refused(write):
    assert parse_file(write("rows.jsonl", "[" * 100_000), TASK).refused[0][0] == 1


def test_imported_rows_are_corrections_unless_they_say_otherwise(store, write):
    parsed = parse_file(write("rows.jsonl", labelled(), labelled("A cat.", kind="confirmation")), TASK)
    assert len(import_rows(store, TASK, parsed, annotator="ann")) == 2
    assert [row["kind"] for row in find_verdicts(store, Filters())] == ["confirmation", "correction"]
    assert {row["annotator"] for row in find_verdicts(store, Filters())} == {"ann"}


def test_answers_tell_confirmations_from_corrections(store, write):
    add_version(store, {"id": "v1", "task": "nli", "base": "b"}, "versions/nli/v1")
    parsed = parse_file(write("rows.jsonl", labelled(), labelled("A cat.")), TASK)
    answers = [Answer(1, [0.1, 0.8, 0.1], "v1"), Answer(0, [0.8, 0.1, 0.1], "v1")]
    import_rows(store, TASK, parsed, annotator="ann", answers=answers)
    found = [(row["kind"], row["predicted_label"], row["version_id"]) for row in find_verdicts(store, Filters())]
    assert found == [("correction", "entailment", "v1"), ("confirmation", "neutral", "v1")]


def test_import_that_fails_half_way_stores_nothing(store, write):
    parsed = parse_file(write("rows.jsonl", labelled(), labelled("A cat.", note="a" * 20_000)), TASK)
    with pytest.raises(ValueError, match="at most 10,000"):
        import_rows(store, TASK, parsed, annotator="ann")
    assert count_verdicts(store, Filters()) == 0


def test_failing_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "out.jsonl"
    path.write_text("old")

    def write_and_fail():
        with atomic_path(path) as partial:
            partial.write_text("half")
            raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space left"):
        write_and_fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_export_to_an_impossible_place_is_named(store, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"out\.jsonl cannot be written"):
        export_file(store, TASK, tmp_path / "file" / "out.jsonl", "jsonl")


def test_unknown_format_is_refused(store, tmp_path):
    with pytest.raises(ValueError, match="jsonl, csv, parquet, datasets, card; found 'xls'"):
        export_file(store, TASK, tmp_path / "out.xls", "xls")


def test_export_of_nothing_is_an_empty_file(store, tmp_path):
    assert export_file(store, TASK, tmp_path / "out.csv", "csv") == 0
    assert (tmp_path / "out.csv").read_text() == ""
