"""What a hunt has cost, and where to look next."""

import pytest

from components import hunt
from data.examples import Answer, archive_verdicts, flag_example
from data.hunting import economics, log_probe, suggestions
from data.suite_results import save_result
from data.tasks import TASKS
from data.versions import live_version
from tests.conftest import nli

TASK = TASKS["nli"]


@pytest.fixture
def version_id(tiny_store):
    return live_version(tiny_store, "nli")


def flag(db, version_id, premise, category="negation"):
    answer = Answer(0, [1.0, 0.0, 0.0], version_id)
    return flag_example(db, TASK, nli(premise), 1, annotator="ann", answer=answer, category=category)


def test_tries_and_seconds_are_shared_out_over_failures(tiny_store, version_id):
    for _ in range(6):
        log_probe(tiny_store, TASK, version_id, "negation", 0.8)
    log_probe(tiny_store, TASK, version_id, "no such category", 0.5)
    for number, minute in enumerate((0, 1, 2, 3, 90, 91, 92), 1):
        time = f"2026-01-01T{10 + minute // 60:02d}:{minute % 60:02d}:00.000+00:00"
        tiny_store["probes"].update(number, {"created_at": time})
    ids = [flag(tiny_store, version_id, premise) for premise in ("A dog barks.", "A cat sleeps.")]
    negation, other = economics(tiny_store, TASK)
    assert (negation["category"], negation["tries"], negation["failures"]) == ("negation", 6, 2)
    assert negation["tries_each"] == 3
    assert negation["seconds_each"] == pytest.approx(120, abs=1)  # four minutes; the long break is none of it
    assert (other["category"], other["tries"], other["tries_each"]) == ("other", 1, None)
    archive_verdicts(tiny_store, ids)
    assert economics(tiny_store, TASK)[0]["failures"] == 0


def test_failed_capabilities_with_few_corrections_come_before_what_nobody_tried(tiny_store, version_id):
    result = {"suite": "far_negation", "category": "negation", "rows": 10, "failed": 9, "low": 0, "high": 1}
    save_result(tiny_store, TASK, version_id, {**result, "failures": []})
    first, *others = suggestions(tiny_store, TASK, version_id)
    assert first == {"where": "negation", "suite": "far_negation", "share": 90, "corrections": 0}
    assert hunt.why(first) == "fails 90 % of far_negation; 0 corrections so far"
    assert {hunt.why(row) for row in others} == {"nobody has tried it yet"}
    for number in range(10):
        flag(tiny_store, version_id, f"Dog {number} barks.")
    assert "negation" not in [row["where"] for row in suggestions(tiny_store, TASK, version_id)]


def test_the_tab_says_what_to_try_and_what_it_is_least_sure_of(lab):
    places, _, costs, _ = hunt.show_hunt(lab, "nli")
    assert "nobody has tried it yet" in places
    assert "Nothing tried yet" in costs
    log_probe(lab.db(), TASK, live_version(lab.db(), "nli"), "negation", 0.8)
    assert "negation" in hunt.show_hunt(lab, "nli")[2]
    choices = hunt.show_unsure(lab, "nli")["choices"]
    shares = [int(text.rsplit(", ", 1)[1].split(" %")[0]) for text, _ in choices]
    assert shares == sorted(shares)
    tabs, premise, hypothesis, *_ = hunt.open_unsure(lab, "nli", choices[0][1])
    assert tabs.selected == "probe"
    assert choices[0][0].startswith(f"{premise} ▸ {hypothesis}"[:150])
