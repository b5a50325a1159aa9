"""The house's rules: imports point one way, SQL is in data/, gradio in components/, torch in models/.

What a module's import drags in is seen in a fresh interpreter; where a name stands in the code is read from
its syntax tree.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import pytest

from settings import PROJECT

LAYERS = ("settings", "data", "models", "components", "app", "cli")
"""From the ground up; a layer imports those before it."""

WITHOUT_TORCH = ("figures", "review", "retrain", "blindspots")
"""Parts of components/ that need no torch. `figures` comes first: it needs no gradio either, and what one
import brought in stays for the next."""

LIBRARIES = ("torch", "transformers", "peft", "accelerate", "gradio", "plotly", "pandas", "sqlite_utils")
WATCHED = (*LAYERS, *LIBRARIES)

PROBE = """
import importlib, json, os, sys

done = []

def watch(event, values):
    if event == "open":
        path, _, flags = values
        if not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            return
    elif event == "os.mkdir":
        path = values[0]
    elif event in ("sqlite3.connect", "socket.connect"):
        done.append(f"{event} {values[-1]}")
        return
    else:
        return
    if isinstance(path, (str, os.PathLike)):
        path = os.path.abspath(path)
        if path.startswith((project + os.sep, os.getcwd() + os.sep)) and "__pycache__" not in path:
            done.append(f"{event} {path}")

project, names, watched = json.loads(sys.argv[1])
sys.path.insert(0, project)
sys.addaudithook(watch)
found = {}
for name in names:
    importlib.import_module(name)
    found[name] = [other for other in watched if other in sys.modules]
print(json.dumps({"found": found, "done": done, "left": os.listdir()}))
"""


def modules(layer: str) -> list[str]:
    """Every module of a layer, by its dotted name; none where the layer is not there."""
    if (PROJECT / f"{layer}.py").exists():
        return [layer]
    paths = sorted((PROJECT / layer).rglob("*.py"))
    return [".".join(p.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__") for p in paths]


def torch_free_components() -> list[str]:
    return [name for part in WITHOUT_TORCH if (name := f"components.{part}") in modules("components")]


def chain(*names: str) -> list[str]:
    return list(dict.fromkeys(names))


CHAINS = {
    "ground": chain(*modules("settings"), *modules("data")),
    "models": chain("models.training", *modules("models")),
    "page": chain(*torch_free_components(), *modules("components"), *modules("app")),
    "shell": modules("cli"),
}
"""What is imported one after the other in one interpreter, since each costs seconds: what must bring in the
least comes first."""


@lru_cache
def probe(name: str, folder: Path) -> dict:
    """Which watched modules are loaded after each import of the chain, and what the imports did."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "GRADIO_ANALYTICS_ENABLED": "False"}
    environment.pop("PYTHONPATH", None)
    cwd = folder / name
    cwd.mkdir()
    ended = subprocess.run(
        [sys.executable, "-c", PROBE, json.dumps([str(PROJECT), CHAINS[name], WATCHED])],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("imports")


RULES = [
    ("ground", ["settings"], set(WATCHED) - {"settings"}),
    ("ground", modules("data"), {"torch", "gradio", "plotly", "models", "components", "app", "cli"}),
    (
        "models",
        ["models.training"],
        {"gradio", "plotly", "components", "app", "cli", "sqlite_utils", "pandas"},
    ),
    ("models", modules("models"), {"gradio", "plotly", "components", "app", "cli"}),
    (
        "page",
        [n for n in torch_free_components() if n.endswith("figures")],
        {"gradio", "torch", "app", "cli"},
    ),
    ("page", torch_free_components(), {"torch", "app", "cli"}),
    ("page", modules("components"), {"app", "cli"}),
    ("shell", modules("cli"), {"torch", "transformers", "gradio", "app"}),
]


@pytest.mark.parametrize(
    ("name", "imports", "forbidden"),
    [pytest.param(*rule, id=" ".join(rule[1]) if len(rule[1]) < 5 else rule[1][0]) for rule in RULES if rule[1]],
)
def test_imports_load_none_of_what_is_forbidden_to_them(
    name: str, imports: list[str], forbidden: set[str], folder: Path
) -> None:
    found = probe(name, folder)["found"]
    loaded = {other for module in imports for other in found[module]}
    assert not loaded & forbidden


@pytest.mark.parametrize("name", CHAINS)
def test_importing_does_no_work(name: str, folder: Path) -> None:
    result = probe(name, folder)
    assert result["done"] == []  # no file written, no folder made, no store opened, nothing connected to
    assert result["left"] == []


SOURCES = [
    path
    for layer in (*LAYERS, "benchmarks", "tests")
    for path in ([PROJECT / f"{layer}.py"] if (PROJECT / f"{layer}.py").exists() else (PROJECT / layer).rglob("*.py"))
]


def layer_of(path: Path) -> str:
    return path.relative_to(PROJECT).parts[0].removesuffix(".py")


def imported_names(path: Path) -> set[str]:
    """Top-level names of all that the file imports, inside functions too."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.partition(".")[0])
    return names


def importers(name: str) -> set[str]:
    return {layer_of(path) for path in SOURCES if name in imported_names(path)}


def test_imports_point_one_way() -> None:
    wrong = [
        f"{path.relative_to(PROJECT)} imports {name}"
        for path in SOURCES
        if layer_of(path) in LAYERS
        for name in imported_names(path) & set(LAYERS[LAYERS.index(layer_of(path)) + 1 :])
    ]
    assert not wrong


def test_nothing_imports_app_but_tests() -> None:
    assert importers("app") <= {"tests"}


@pytest.mark.parametrize(
    ("name", "homes"),
    [
        ("gradio", {"components", "app"}),
        ("plotly", {"components"}),
        ("torch", {"models"}),
        ("transformers", {"models"}),
        ("peft", {"models"}),
        ("sqlite3", {"data"}),
    ],
)
def test_library_stays_in_its_layer(name: str, homes: set[str]) -> None:
    assert importers(name) <= homes | {"benchmarks", "tests"}


SQL = re.compile(
    r"\bSELECT\s.+?\sFROM\s|\bINSERT\s+(OR\s+\w+\s+)?INTO\s|\bUPDATE\s+\S+\s+SET\s|\bDELETE\s+FROM\s"
    r"|\b(CREATE|DROP|ALTER)\s+(VIRTUAL\s+)?(TABLE|INDEX|VIEW|TRIGGER)\s|^\s*PRAGMA\s",
    re.DOTALL,
)
LOWER_SQL = re.compile(
    r"\s*(select\s.+?\sfrom\s+\w+|insert\s+(or\s+\w+\s+)?into\s|update\s+\w+\s+set\s+\w+\s*=|delete\s+from\s"
    r"|(create|drop|alter)\s+(table|index|view|trigger)\s|pragma\s+\w+)",
    re.DOTALL,
)
"""Lower case is taken for SQL only at a string's start, where prose has a capital."""


def sql_in(source: str) -> list[str]:
    """The source's string literals, docstrings aside, that read like SQL; an f-string is one string."""
    tree = ast.parse(source)
    passed = set()
    texts = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            passed.add(id(node.value))
        elif isinstance(node, ast.JoinedStr):
            passed |= {id(part) for part in node.values}
            texts.append("".join(p.value if isinstance(p, ast.Constant) else "x" for p in node.values))
    texts += [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in passed
    ]
    return [text for text in texts if SQL.search(text) or LOWER_SQL.match(text)]


def test_sql_is_in_data_alone() -> None:
    found = {layer_of(path) for path in SOURCES if sql_in(path.read_text(encoding="utf-8"))}
    assert "data" in found  # else the search finds nothing at all
    assert found <= {"data", "tests"}


@pytest.mark.parametrize(
    ("source", "is_sql"),
    [
        ('db.execute("SELECT id FROM jobs")', True),
        ('db.execute(f"SELECT {columns} FROM {table} WHERE 1")', True),
        ('db.execute("select id from jobs")', True),
        ('db.execute("DELETE FROM jobs")', True),
        ('db.execute("pragma user_version")', True),
        ('label = "Select a version from the list"', False),
        ('def f():\n    """SELECT id FROM jobs"""', False),
    ],
)
def test_sql_is_told_from_prose(source: str, is_sql: bool) -> None:
    assert bool(sql_in(source)) is is_sql
