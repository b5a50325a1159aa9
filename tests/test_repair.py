"""What a repair trains on."""

from collections import Counter

from data.examples import Selection
from data.lexicon import entries
from data.seed import seed_rows
from data.tasks import TASKS
from models.recipe import PRESETS, Recipe
from models.repair import MOST_LIFT, MOST_VARIANTS, count_rows, retention_split, stopping_rows, training_rows
from models.wording import Wording
from tests.conftest import nli

TASK = TASKS["nli"]


def taught(*kinds, example=None):
    example = example or nli()
    rows = [{"example": example, "label": 1, "kind": kind, "category": "other", "example_id": 1} for kind in kinds]
    return Selection(rows=rows)


def apart_from_retention(rows):
    kept = {TASK.content_hash(row["example"]) for row in seed_rows(TASK, "retention")}
    return [row for row in rows if TASK.content_hash(row) not in kept]


def test_a_correction_goes_in_with_siblings_of_its_label_and_contrasts_of_others():
    rows = apart_from_retention(training_rows(TASK, taught("correction"), Recipe(retention_rows=10)))
    assert {**nli(), "label": 1, "weight": 1.0, "pair": 0} in rows
    labels = [row["label"] for row in rows]
    assert labels.count(1) > MOST_VARIANTS // 2
    assert {0, 2} <= set(labels)


def test_each_sibling_of_a_correction_stands_beside_a_contrast_of_another_label():
    made = apart_from_retention(training_rows(TASK, taught("correction"), Recipe(retention_rows=0)))
    pairs = {}
    for row in made:
        pairs.setdefault(row["pair"], []).append(row)
    assert len(pairs) > MOST_VARIANTS // 2
    assert {len(pair) for pair in pairs.values()} == {2}
    assert all(1 in labels and len(set(labels)) == 2 for labels in ([r["label"] for r in p] for p in pairs.values()))


def test_no_word_speaks_for_a_label():
    """Of the persons' words each stands about as often with the correction's label as with others."""
    made = apart_from_retention(training_rows(TASK, taught("correction"), Recipe(retention_rows=0, dressed=0.0)))
    with_label = {
        same: Counter(w for r in made if (r["label"] == 1) == same for w in set(Wording.of(r["premise"]).low))
        for same in (True, False)
    }
    for word in set(with_label[True]) | set(with_label[False]):
        if any(e.word_class == "person" for e in entries(word)):
            assert abs(with_label[True][word] - with_label[False][word]) <= 1, word


def test_a_handful_of_confirmations_weighs_like_many_but_not_without_end():
    other = nli("The pilot thanked the baker at noon.", "The pilot thanked the baker.")
    rows = [{"example": other, "label": 0, "kind": "confirmation", "category": "other", "example_id": 2}]
    many = taught(*["correction"] * 8)
    made = apart_from_retention(
        training_rows(TASK, Selection(rows=many.rows + rows), Recipe(retention_rows=0, dressed=0.0))
    )
    assert {r["weight"] for r in made if r["label"] == 0 and "at noon" in r["premise"]} == {MOST_LIFT}


def test_a_confirmation_goes_in_with_siblings_alone():
    rows = training_rows(TASK, taught("confirmation"), Recipe(retention_rows=0))
    assert len(rows) > 4
    assert {row["label"] for row in rows} == {1}


def test_retention_rows_are_distilled_unless_replayed():
    for data, distilled in (("replay", False), ("distilled", True), ("phenomenon", True)):
        rows = training_rows(TASK, taught("correction"), Recipe(data=data, retention_rows=25))
        assert [row["distil"] for row in rows if "distil" in row] == [distilled] * 25


def test_what_no_rule_fits_stands_in_the_rows_several_times():
    odd = nli("Zzyx qua plim.", "Plim qua zzyx.")
    rows = training_rows(TASK, taught("confirmation", example=odd), Recipe(retention_rows=0))
    assert len(rows) == 4
    assert {**odd, "label": 1, "weight": 1.0} in rows
    assert all(odd["premise"] in row["premise"] and odd["hypothesis"] == row["hypothesis"] for row in rows)


def test_many_corrections_share_the_variants_of_a_preset():
    many = taught(*["correction"] * 300)
    rows = training_rows(TASK, many, PRESETS["quick"])
    assert len(rows) <= count_rows(TASK, 300, PRESETS["quick"])


def test_rows_are_the_same_for_the_same_seed_and_others_for_another():
    first, second, other = (training_rows(TASK, taught("correction"), Recipe(seed=seed)) for seed in (1, 1, 2))
    assert first == second != other


def test_retention_rows_to_measure_with_are_never_trained_on():
    trained, held = retention_split(TASK)
    assert len(trained) > 300 < len(held)
    measured = {TASK.content_hash(row["example"]) for row in held}
    rows = training_rows(TASK, taught("correction"), PRESETS["thorough"])
    assert not measured & {TASK.content_hash(row) for row in rows}


def test_no_variant_is_a_held_out_example():
    rows = training_rows(TASK, taught("correction"), Recipe(retention_rows=0))
    variants = [TASK.content_hash(row) for row in rows if TASK.content_hash(row) != TASK.content_hash(nli())]
    kept_out = set(variants[:3])
    rows = training_rows(TASK, taught("correction"), Recipe(retention_rows=0), kept_out)
    assert not kept_out & {TASK.content_hash(row) for row in rows}
    assert TASK.content_hash(nli()) in {TASK.content_hash(row) for row in rows}


def test_rows_to_stop_by_are_siblings_and_contrasts_that_no_run_trains_on():
    recipe = Recipe(retention_rows=0, patience=2)
    trained = {TASK.content_hash(row) for row in training_rows(TASK, taught("correction"), recipe)}
    rows = stopping_rows(TASK, taught("correction", "confirmation"), recipe, trained)
    assert not trained & {TASK.content_hash(row) for row in rows}
    labels = [row["label"] for row in rows]
    assert labels.count(1) >= 10 <= len(labels) - labels.count(1)
    assert stopping_rows(TASK, taught("correction"), Recipe(), trained) == []


def test_few_rows_are_gone_over_until_the_least_steps_are_made():
    recipe = Recipe(epochs=2, batch_size=10, min_steps=50)
    assert recipe.steps(10) == 50
    assert recipe.steps(1000) == 200
