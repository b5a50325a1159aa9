"""The page speaks Chinese as well: no text is without its other language, and none is translated that nobody sees."""

import ast
import importlib
import inspect
import json
import re
import string
from collections.abc import Iterator
from types import ModuleType

import gradio as gr
import pytest

import app
from components import figures, files, highlight, hunt, probe, review, second_look, spots, steps_panel, store_figures
from components.account import role_help
from components.context import Lab
from components.errors import told
from components.filter_form import NOTHING_CHOSEN
from components.languages import SOURCE, browser_language, catalogue, named, pieces, speaking, t
from components.languages.page import SPEAKING, TEXTS
from components.span_marks import explained_spans
from components.stored import SHAPES, rule_text, stored_text
from data.examples import flag_example
from data.roles import NotAllowed, Person, acting_as, require
from data.seed import seed_rows
from data.tasks import TASKS
from models import contrasts, counterfactuals, entities, siblings, substitution, turned
from models.twins import offer_twins
from settings import LANGUAGES, PROJECT, Settings, read_settings
from tests.conftest import nli
from tests.test_figures import DRAWN

OTHERS = [code for code in LANGUAGES if code != SOURCE]
SAME = {"Blindspot", "2026-01-31", "tall_tales", "k, or p"}
"""At rest on the page and the same in every language."""


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> gr.Blocks:
    """The page as its components are written."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app, "translate_page", lambda page, language: None)
        return app.build_page(Lab(Settings(workspace=tmp_path_factory.mktemp("page"))))


def at_rest(page: gr.Blocks) -> Iterator[str]:
    """What a person reads on the page before anything is done."""
    for block in page.blocks.values():
        if block.get_block_name() == "api":
            continue
        yield from (text for name in TEXTS if isinstance(text := getattr(block, name, None), str))
        if isinstance(block, SPEAKING) and isinstance(block.value, str):
            yield from pieces(re.sub(r"<(code|kbd)>.*?</\1>", "<br>", block.value))
        if block.elem_id != "probe-gallery":
            yield from (name for name, _ in getattr(block, "choices", None) or [])


def modules() -> Iterator[tuple[str, ast.Module]]:
    """By name the modules whose texts the page shows."""
    for folder in ("components", "data", "models"):
        for path in sorted((PROJECT / folder).rglob("*.py")):
            name = ".".join(path.relative_to(PROJECT).with_suffix("").parts)
            yield name, ast.parse(path.read_text(encoding="utf-8"))
    yield "app", ast.parse((PROJECT / "app.py").read_text(encoding="utf-8"))


def said() -> Iterator[str]:
    """What handlers put through `t` or raise: literals, and the module's constants that are named there."""
    for name, tree in modules():
        if not name.startswith("components."):
            continue
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            called = getattr(call.func, "id", "")
            if called == "ValueError":
                yield from (one.value for one in call.args if isinstance(one, ast.Constant))
            if called not in ("t", "named"):
                continue
            for node in _shown(call.args[0]):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield from pieces(node.value)
                elif isinstance(node, ast.Name) and node.id.isupper():
                    yield from _texts(getattr(importlib.import_module(name), node.id))


def _shown(node: ast.AST) -> Iterator[ast.AST]:
    """The parts of an argument that are text, not the keys and conditions by which it is chosen."""
    if isinstance(node, ast.IfExp):
        yield from _shown(node.body)
        yield from _shown(node.orelse)
    elif isinstance(node, ast.Subscript):
        yield node.value
    elif isinstance(node, ast.Call):
        for one in [node.func, *node.args]:
            yield from _shown(one)
    elif isinstance(node, ast.Attribute):
        yield from _shown(node.value)
    else:
        yield node


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield from pieces(value)
    elif isinstance(value, dict | tuple | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _texts(one)


def names() -> Iterator[str]:
    """Tasks, fields, labels and categories, which handlers name by value."""
    for task in TASKS.values():
        yield from (task.title, *task.labels, *task.categories, *(f.title for f in task.fields if f.kind == "text"))


def rules() -> Iterator[str]:
    """The names of rules: in the modules that make rows they end what is yielded, or are given to `rule`.

    What is shorter than seven letters there is a word of an example.
    """
    modules = [contrasts, turned, counterfactuals]
    modules += [one for one in vars(contrasts).values() if isinstance(one, ModuleType)]
    for module in modules:
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            parts: list[ast.AST] = []
            if isinstance(node, ast.Tuple) and node.elts and not isinstance(node.elts[0], ast.Constant):
                parts = node.elts[1:]
            elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "rule":
                parts = list(_shown(node.value))
            for part in parts:
                text = getattr(module, part.id, None) if isinstance(part, ast.Name) else getattr(part, "value", None)
                if isinstance(text, str) and re.fullmatch("[a-z][a-z ,']{6,}", text):
                    yield text
    yield from (entities.SWAPPED, entities.FRAMED, siblings.REORDERED, "numbers")
    yield from (*substitution.LABELS.values(), *counterfactuals.OTHER, *counterfactuals.OTHER.values())
    yield counterfactuals.THROUGHOUT


def test_each_language_is_one_file():
    files = {path.stem for path in (PROJECT / "components" / "languages").glob("*.json")}
    assert files == set(OTHERS)


@pytest.mark.parametrize("language", OTHERS)
def test_no_text_is_missing(language, page):
    wanted = {*at_rest(page), *said(), *names()} - SAME
    wanted = {text for text in wanted if re.search(r"[^\W\d_]{2}", text) and "@" not in text and "|" not in text}
    assert sorted(wanted - catalogue(language).keys()) == []


@pytest.mark.parametrize("language", OTHERS)
def test_no_text_is_there_that_nobody_uses(language, page):
    literals = (node.value for _, tree in modules() for node in ast.walk(tree) if isinstance(node, ast.Constant))
    known = {piece for value in literals if isinstance(value, str) for piece in pieces(value)}
    assert sorted(catalogue(language).keys() - known - set(at_rest(page))) == []


@pytest.mark.parametrize("language", OTHERS)
def test_a_translation_fills_in_what_its_source_does(language):
    def slots(text: str) -> list[str]:
        return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name)

    different = {text: other for text, other in catalogue(language).items() if slots(text) != slots(other)}
    assert different == {}
    assert all(other.strip() and "<" not in other for other in catalogue(language).values())


def test_a_catalogue_names_each_text_once():
    for language in OTHERS:
        path = PROJECT / "components" / "languages" / f"{language}.json"
        keys = [key for key, _ in json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=list)]
        assert sorted(keys) == sorted(set(keys))


def test_texts_are_said_in_the_language_that_is_spoken():
    assert t("Right") == "Right"
    with speaking("zh"):
        assert t("Right") == "正确"
        assert t(" (undone)").startswith(" ")
        assert t('<div class="empty"><b>No answer yet</b>x &lt; y</div>') == (
            '<div class="empty"><b>尚无答案</b>x &lt; y</div>'
        )
        assert t("<b>label</b> <code>label</code>") == "<b>标签</b> <code>label</code>"
        assert t("{count} rows", count=3) == "3 行"
        assert t("What no catalogue has") == "What no catalogue has"
        assert named(["negation"]) == [("否定", "negation")]
    assert t("Right") == "Right"


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("zh-TW", "zh"),
        ("zh", "zh"),
        ("zh-HK,zh;q=0.9", "zh"),
        ("zh-SG", "zh"),
        ("zh-MO;q=1", "zh"),
        ("zh-Hans", "zh"),
        ("ZH-hant-HK", "zh"),
        ("zha", "en"),
        ("en-US,en;q=0.9,zh-CN;q=0.8", "en"),
        ("de-DE", "en"),
        ("", "en"),
        (None, "en"),
    ],
)
def test_the_browsers_first_language_counts(accepted, language):
    assert browser_language(accepted) == language


def test_the_page_holds_both_languages_and_a_chosen_one_alone(settings):
    page = app.build_page(Lab(settings))
    run = next(block for block in page.blocks.values() if block.elem_id == "probe-run")
    texts = page.i18n_instance.translations
    assert (texts["en"][run.value.key], texts["zh"][run.value.key]) == ("Run", "运行")
    chosen = app.build_page(Lab(Settings(workspace=settings.workspace, language="zh")))
    assert {text for text in chosen.i18n_instance.translations["en"].values()} >= {"运行", "前提"}
    assert set(chosen.i18n_instance.translations) == {"en"}


def test_handlers_answer_in_the_language_of_the_page(settings):
    lab = Lab(Settings(workspace=settings.workspace, language="zh"))
    table, _, words, *_ = lab.bind(review.first_page)("nli", *NOTHING_CHOSEN)
    assert "例子" in table["headers"]
    assert "这里还没有内容" in words
    assert "尚无答案" in str(lab.bind(probe.clear_form)("nli"))
    with pytest.raises(gr.Error, match="请先运行一个例子"):
        lab.bind(probe.save_right)(None, "other", "ann")


def test_labels_are_named_and_a_persons_own_words_are_not():
    with speaking("zh"):
        assert highlight.label_names(TASKS["nli"], nli("A.", "B.")) == ["蕴含", "中立", "矛盾"]
        assert highlight.label_text(TASKS["labels"], {"text": "x", "choices": ["Right", "other"]}, 1) == "other"


@pytest.mark.parametrize("name", DRAWN)
def test_no_figure_stays_in_english(name):
    with speaking("zh"):
        figure = DRAWN[name][0]()
    said = [figure.layout.title.text, *(axis.title.text for axis in (*figure.select_xaxes(), *figure.select_yaxes()))]
    for trace in figure.data:
        bar = getattr(trace, "colorbar", None)
        said += [trace.name, trace.hovertemplate, bar and bar.title.text]
    words = [re.sub(r"%{[^}]*}|<[^>]*>|(role_)?swap|kappa|Cohen|nat|UTC", "", text) for text in said if text]
    assert [text for text in words if re.search("[A-Za-z]{2}", text)] == []


@pytest.mark.parametrize("name", TASKS)
def test_menus_name_categories_in_chinese_and_hold_them_in_english(name, settings):
    lab = Lab(Settings(workspace=settings.workspace, language="zh"))
    menu = next(
        update
        for update in lab.bind(probe.change_task)(name)
        if isinstance(update, dict) and update.get("value") == "other"
    )
    assert [value for _, value in menu["choices"]] == list(TASKS[name].categories)
    assert ("其他", "other") in menu["choices"]
    assert not [shown for shown, _ in menu["choices"] if re.search("[A-Za-z]", shown)]


def test_an_answer_without_an_entity_is_named():
    task, example = TASKS["ner"], {"text": "Right after rain."}
    span = task.parse_label([{"start": 0, "end": 5, "label": "PER"}], example)
    with speaking("zh"):
        assert highlight.label_text(task, example, ()) == "没有实体"
        assert highlight.label_text(task, example, span) == "Right (PER)"
        nearly = {"example": example, "label": (), "nearly": [(span[0], 0.4)]}
        assert explained_spans(task, nearly)[0][0] == "Right (PER)，未找到：40 %"


def test_figures_and_tables_name_labels_and_categories():
    labels = list(TASKS["nli"].labels)
    with speaking("zh"):
        matrix = figures.confusion(labels, [[1, 0, 0]] * 3, [[0, 1, 0]] * 3, ("a", "b")).data[0]
        assert list(matrix.x) == list(matrix.y) == ["蕴含", "中立", "矛盾"]
        points = figures.scatter_map([(0, 0), (1, 1)], ["other", "negation"], ["x", "y"], [1, 2], "category")
        assert {trace.name for trace in points.data} == {"其他", "否定"}
        assert "类别" in points.layout.title.text
        weekly = [{"week": "2026-01-05", "category": "other", "count": 2}]
        assert store_figures.failures_by_week(weekly).data[0].name == "其他"
        pair = {"first": "a", "second": "b", "rows": 3, "kappa": 0.5, "labels": labels, "confusion": [[1, 0, 0]] * 3}
        agreed = second_look.agreement_html({"pairs": [pair], "fleiss": None})
        assert "蕴含" in agreed
        assert "entailment" not in agreed


def test_a_rows_history_names_what_is_ours_and_leaves_a_note_alone(settings):
    lab = Lab(Settings(workspace=settings.workspace, language="zh"))
    example = nli("A.", "B.")
    verdict = flag_example(lab.db(), TASKS["nli"], example, 1, annotator="ann", category="other")
    lab.bind(review.save_changes)(verdict, "neutral", "negation", "Right", "ann")
    told = lab.bind(steps_panel.history_html)(verdict)
    assert "类别: <s>其他</s> 否定" in told
    assert "备注: <s></s> Right" in told


@pytest.mark.parametrize("language", OTHERS)
def test_every_rule_has_a_name(language):
    found = set(rules())
    assert {"who did it, in the passive, roles swapped", "known for claimed", contrasts.FEWER, "negated"} <= found
    assert sorted(found - catalogue(language).keys()) == []


@pytest.mark.parametrize("name", TASKS)
def test_twins_of_the_gallery_name_their_rules_in_chinese(name):
    task = TASKS[name]
    cases = [(row["example"], row["label"]) for row in seed_rows(task, "gallery")]
    used = {twin.rule for example, label in cases for twin in offer_twins(task, example, label)}
    with speaking("zh"):
        assert [rule for rule in used if re.search("[A-Za-z]", rule_text(rule))] == []


def test_what_the_store_says_is_said_in_chinese():
    with speaking("zh"):
        assert stored_text("sibling of verdict 3: names+verbs") == "判定 3 的同类句：名字+动词"
        assert stored_text("counterfactual: other noun throughout") == "反事实例：换一个名词 各处"
        assert stored_text("suite role_swap") == "测试集 role_swap"
        assert stored_text("second look") == "复看"
        assert stored_text("somebody's own") == "somebody's own"
        assert stored_text("rollback of nli-v2") == "回退 nli-v2"
        reason = "accuracy on contrasts of the corrections fell by 27.5 points (at most 5)"
        assert stored_text(reason) == "更正的对照句准确率下降 27.5 个百分点（至多 5）"
        assert stored_text("CPU, 2 threads") == "CPU，2 个线程"


def test_what_is_wrong_with_an_input_is_said_in_chinese(settings, tmp_path):
    lab = Lab(Settings(workspace=settings.workspace, language="zh"))
    path = tmp_path / "rows.jsonl"
    path.write_text('{"premise": "", "hypothesis": "B."}\n{"premise": "A.", "hypothesis": "B.", "label": "maybe"}\n')
    summary = lab.bind(files.preview_import)("nli", str(path), "ann")[0]
    assert "第 1 行：“前提”为空。请输入或粘贴文本。" in summary
    assert "第 2 行：标签应为 entailment, neutral, contradiction，但为 &#x27;maybe&#x27;。" in summary
    with speaking("zh"), pytest.raises(gr.Error, match="“前提”为空"), told("probe"):
        TASKS["nli"].parse_example({"premise": " ", "hypothesis": "B."})
    with speaking("zh"), acting_as(Person("ann", "annotator")), pytest.raises(NotAllowed) as refused:
        require("promote")
    with speaking("zh"):
        assert stored_text(str(refused.value)).startswith("“决定由哪个版本回答”需要 admin 角色；您的角色是“标注人”")
        assert not re.search("[A-Za-z]{3}", role_help().replace("Hugging Face Hub", ""))


def test_every_shape_has_its_other_languages():
    for text in SHAPES:
        assert all(text in catalogue(language) for language in OTHERS)


def test_where_to_hunt_is_said_in_chinese():
    with speaking("zh"):
        place = {"where": "negation", "suite": "far_negation", "share": 90, "corrections": 0}
        assert hunt.why(place) == "far_negation 失败 90 %；目前有 0 个更正"
        assert hunt.why({"where": "negation"}) == "还没有人试过"


def test_the_catalogue_of_suites_names_categories(settings):
    lab = Lab(Settings(workspace=settings.workspace, language="zh"))
    assert "<span class=hint>否定</span>" in lab.bind(spots.show_catalogue)("nli")


def test_an_unknown_language_is_refused_by_name(monkeypatch):
    assert read_settings(language="zh").language == "zh"
    assert read_settings().language == ""
    monkeypatch.setenv("BLINDSPOT_LANGUAGE", "xx")
    with pytest.raises(ValueError, match="--language en or zh; found 'xx'"):
        read_settings()
