"""Rows as plotly figures, in the page's colours and readable on light and dark alike."""

from __future__ import annotations

from textwrap import wrap
from typing import Any

# plotly imports narwhals at the first figure and scikit-learn at its own import: two threads that do so at the same
# moment lock each other out.
import narwhals.stable.v1  # noqa: F401
import plotly.graph_objects as go

from components.languages import t

ACCENT = "#4f69df"
OPPOSE = "#d0661f"
MUTED = "#8a93a5"
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a7f8c")
"""Colours that the colour-blind tell apart (Okabe and Ito 2008)."""
PATTERNS = ("", "/", "x", ".")
FAILED = "{failed} of {rows}, {low} to {high} %"
SYMBOLS = ("circle", "diamond", "square", "cross")


def loss_curve(progress: list[dict[str, Any]], height: int = 260) -> go.Figure:
    """Training loss by step, with a running mean, as far as the run has come."""
    steps = [row["step"] for row in progress]
    losses = [row["loss"] for row in progress]
    figure = go.Figure()
    figure.add_scatter(x=steps, y=losses, mode="lines", name="loss of a step", line={"color": MUTED, "width": 1})
    figure.add_scatter(
        x=steps,
        y=running_mean(losses),
        mode="lines",
        name="running mean",
        line={"color": ACCENT, "width": 2.5},
    )
    checks = [row for row in progress if "twins_loss" in row]
    if checks:
        figure.add_scatter(
            x=[row["step"] for row in checks],
            y=[row["twins_loss"] for row in checks],
            mode="lines",
            name="held-out twins",
            line={"color": OPPOSE, "width": 2, "shape": "hv"},
        )
    total = progress[-1]["steps"] if progress else 1
    figure.update_xaxes(title="training step", range=[0, max(total, 1)])
    figure.update_yaxes(title="loss (nats)", rangemode="tozero")
    return finish(figure, "Training loss", height)


def confusion(
    labels: list[str], before: list[list[int]], after: list[list[int]], titles: tuple[str, str]
) -> go.Figure:
    """Two confusion matrices side by side: rows the right label, columns the predicted one, counts of examples."""
    from plotly.subplots import make_subplots

    lines = ["<br>".join(wrap(title, 14)) for title in titles]
    names = [t(label) for label in labels]
    figure = make_subplots(1, 2, subplot_titles=lines, horizontal_spacing=0.05, shared_yaxes=True)
    figure.update_annotations(font={"size": 11})
    peak = max((max(row) for matrix in (before, after) for row in matrix), default=1) or 1
    for column, matrix in enumerate((before, after), 1):
        figure.add_heatmap(
            z=matrix,
            x=names,
            y=names,
            text=matrix,
            texttemplate="%{text}",
            zmin=0,
            zmax=peak,
            colorscale="Cividis",
            showscale=column == 2,
            colorbar=bar("examples"),
            hovertemplate=t("right: %{y}<br>predicted: %{x}<br>%{z} examples<extra></extra>"),
            row=1,
            col=column,
        )
        figure.update_xaxes(title="predicted<br>label", tickangle=-35, tickfont={"size": 11}, row=1, col=column)
        figure.update_yaxes(title="right label" if column == 1 else "", autorange="reversed", row=1, col=column)
    finish(figure, "Right and predicted labels, before and after", 400)
    return figure.update_layout(margin={"t": 88})


def dial(points: list[dict[str, Any]], best: float | None, height: int = 300) -> go.Figure:
    """What is repaired and what is kept along the strength from parent (0) to child (1)."""
    figure = go.Figure()
    for name, title, colour, dash in (
        ("siblings", "unseen siblings", ACCENT, "solid"),
        ("taught", "taught", ACCENT, "dot"),
        ("contrasts", "unseen contrasts", OPPOSE, "solid"),
        ("retention", "retention set", MUTED, "solid"),
    ):
        shown = [point for point in points if point[name] is not None]
        if shown:
            figure.add_scatter(
                x=[point["alpha"] for point in shown],
                y=[point[name] for point in shown],
                mode="lines+markers",
                name=title,
                line={"color": colour, "width": 2.5, "dash": dash},
            )
    if best is not None:
        figure.add_vline(x=best, line={"color": ACCENT, "width": 1, "dash": "dash"})
    figure.update_xaxes(title="strength (0: as before, 1: as trained)", range=[-0.02, 1.02], dtick=0.2)
    figure.update_yaxes(title="right (%)", range=[-3, 103])
    return finish(figure, "Repaired and kept, by strength", height)


def inoculation(points: list[dict[str, Any]], height: int = 280) -> go.Figure:
    """Unseen siblings right, and points lost elsewhere, by how many corrections were trained on."""
    figure = go.Figure()
    ks = [0, *(point["k"] for point in points)]
    for title, values, colour in (
        ("unseen siblings right (%)", [points[0]["before"], *(p["after"] for p in points)], ACCENT),
        ("retention set (points)", [0, *(p["retention"] for p in points)], MUTED),
        ("contrasts (points)", [0, *(p["contrasts"] for p in points)], OPPOSE),
    ):
        figure.add_scatter(x=ks, y=values, mode="lines+markers", name=title, line={"color": colour, "width": 2.5})
    figure.update_xaxes(title="corrections trained on")
    figure.update_yaxes(title="percent, points")
    return finish(figure, "What more corrections bring", height)


def failure_map(rows: list[dict[str, Any]], short: dict[str, str]) -> go.Figure:
    """Share of rows failed by capability (most failed by the newest version at the top) and version.

    `rows` are `data.suite_results.suite_results`; `short` gives each version's name on the axis.
    """
    versions = list(dict.fromkeys(row["version_id"] for row in rows))
    rates = {(row["suite"], row["version_id"]): row for row in rows}
    newest = {row["suite"]: row["rate"] for row in rows}
    suites = sorted(newest, key=lambda suite: newest[suite])
    cells = [[rates.get((suite, version)) for version in versions] for suite in suites]
    figure = go.Figure()
    figure.add_heatmap(
        z=[[None if cell is None else 100 * cell["rate"] for cell in line] for line in cells],
        x=versions,
        y=suites,
        text=[["" if cell is None else f"{100 * cell['rate']:.0f}" for cell in line] for line in cells],
        customdata=[
            [
                "" if c is None else t(FAILED, **{**c, "low": round(100 * c["low"]), "high": round(100 * c["high"])})
                for c in line
            ]
            for line in cells
        ],
        texttemplate="%{text}",
        zmin=0,
        zmax=100,
        colorscale="Cividis",
        xgap=2,
        ygap=2,
        colorbar=bar("failed (%)"),
        hovertemplate=t("%{y}<br>%{x}<br>fails %{z:.0f} % (%{customdata})<extra></extra>"),
        hoverongaps=False,
    )
    ticks = {"tickvals": versions, "ticktext": [short[version] for version in versions]}
    figure.update_xaxes(title="version", side="top", type="category", **ticks)
    figure.update_yaxes(title="capability", automargin=True, type="category")
    finish(figure, "Rows failed, by capability and version", 150 + 26 * max(len(suites), 3))
    return figure.update_layout(margin={"t": 96, "b": 12})


def failure_trend(rows: list[dict[str, Any]], short: dict[str, str], height: int = 240) -> go.Figure:
    """Share of rows that each version failed of one capability, with 95 % intervals."""
    rates = [100 * row["rate"] for row in rows]
    figure = go.Figure()
    figure.add_scatter(
        x=[short[row["version_id"]] for row in rows],
        y=rates,
        mode="lines+markers",
        line={"color": ACCENT, "width": 2.5},
        marker={"size": 9},
        error_y={
            "array": [100 * row["high"] - rate for row, rate in zip(rows, rates, strict=True)],
            "arrayminus": [rate - 100 * row["low"] for row, rate in zip(rows, rates, strict=True)],
            "color": MUTED,
        },
        showlegend=False,
    )
    figure.update_xaxes(title="version", type="category")
    figure.update_yaxes(title="failed (%)", range=[-3, 103])
    return finish(figure, t("{suite}, version by version", suite=rows[0]["suite"]), height)


def guidance_map(rows: list[dict[str, Any]]) -> go.Figure:
    """Share of rows failed by capability without and with guidance; `rows` as `data.guided_results` lists them."""
    rows = sorted(rows, key=lambda row: row["failed"] / row["rows"])
    table = [[(row[name], row["rows"]) for name in ("failed", "failed_guided")] for row in rows]
    names = [row["suite"].replace("_", " ") for row in rows]
    named = [t("without"), t("with")]
    figure = _share_map(table, named, names, "failed (%)")
    figure.update_xaxes(title="guidance, on the same rows", side="top", type="category")
    figure.update_yaxes(title="capability", type="category")
    finish(figure, "Rows failed, without and with guidance", 150 + 26 * max(len(rows), 3))
    return figure.update_layout(margin={"t": 96, "b": 12})


def needle_map(cells: list[dict[str, Any]]) -> go.Figure:
    """Share right by the depth of the deciding sentence and the length of the text, from `models.long_context`."""
    lengths = list(dict.fromkeys(cell["words"] for cell in cells))
    depths = list(dict.fromkeys(cell["depth"] for cell in cells))
    found = {(cell["depth"], cell["words"]): (cell["right"], cell["rows"]) for cell in cells}
    table = [[found.get((depth, words)) for words in lengths] for depth in depths]
    figure = _share_map(table, [f"{words:,}" for words in lengths], [f"{100 * d:.0f} %" for d in depths], "found (%)")
    figure.update_xaxes(title="words of the text", type="category")
    figure.update_yaxes(title="depth of the deciding sentence", type="category", autorange="reversed")
    return finish(figure, "The needle found, by depth and length", 360)


def _share_map(table: list[list[tuple[int, int] | None]], x: list[str], y: list[str], title: str) -> go.Figure:
    """A heat map of shares, each a (count, of how many)."""
    figure = go.Figure()
    return figure.add_heatmap(
        z=[[cell and 100 * cell[0] / cell[1] for cell in line] for line in table],
        x=x,
        y=y,
        text=[["" if cell is None else f"{100 * cell[0] / cell[1]:.0f}" for cell in line] for line in table],
        customdata=[
            ["" if cell is None else t("{count} of {rows}", count=cell[0], rows=cell[1]) for cell in line]
            for line in table
        ],
        texttemplate="%{text}",
        zmin=0,
        zmax=100,
        colorscale="Cividis",
        xgap=2,
        ygap=2,
        colorbar=bar(title),
        hovertemplate="%{y}<br>%{x}<br>%{z:.0f} % (%{customdata})<extra></extra>",
        hoverongaps=False,
    )


def scatter_map(
    points: Any, groups: list[str], texts: list[str], ids: list[int], by: str, height: int = 520
) -> go.Figure:
    """Points (x, y) coloured by group, which is what `by` says; the lasso gives their `ids`."""
    figure, groups = go.Figure(), [t(group) for group in groups]
    for number, group in enumerate(sorted(set(groups))):
        chosen = [i for i, name in enumerate(groups) if name == group]
        colour, symbol = PALETTE[number % len(PALETTE)], SYMBOLS[number // len(PALETTE) % len(SYMBOLS)]
        figure.add_scatter(
            x=[float(points[i][0]) for i in chosen],
            y=[float(points[i][1]) for i in chosen],
            mode="markers",
            name=group,
            text=[texts[i] for i in chosen],
            customdata=[ids[i] for i in chosen],
            hovertemplate="%{text}<extra>" + group + "</extra>",
            marker={"size": 9, "color": colour, "symbol": symbol},
        )
    figure.update_xaxes(title="nearness only: the axes have no unit", showticklabels=False, zeroline=False)
    figure.update_yaxes(title="", showticklabels=False, zeroline=False)
    finish(figure, t("Corrections, near where alike, by {what}", what=t(by)), height)
    figure.update_layout(dragmode="lasso", modebar={"remove": ["toImage", "autoScale2d"]})
    return figure


def running_mean(values: list[float], window: int = 9) -> list[float]:
    """The mean of each value and those up to `window` - 1 before it."""
    means = []
    for i in range(len(values)):
        part = values[max(0, i - window + 1) : i + 1]
        means.append(sum(part) / len(part))
    return means


def finish(figure: go.Figure, title: str, height: int, left: bool = False) -> go.Figure:
    """The figure in the reader's language and the page's type and grey (the style sheet sets its text in the ink of
    light or dark).

    The legend lies at the figure's foot, where any number of entries pushes nothing off; `left` says that the
    categories stand on the vertical axis.
    """
    for trace in figure.data:
        trace.name = trace.name and t(trace.name)
    for one in (*figure.select_xaxes(), *figure.select_yaxes()):
        one.title.text = one.title.text and t(one.title.text)
    figure.update_layout(
        title={"text": t(title), "font": {"size": 15}, "x": 0.01, "xanchor": "left", "y": 0.98, "yanchor": "top"},
        height=height,
        margin={"l": 60, "r": 20, "t": 46, "b": 50},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "IBM Plex Sans, system-ui, sans-serif", "size": 13, "color": "#667085"},
        legend={"orientation": "h", "x": 0, "xanchor": "left", "y": 0, "yref": "container", "yanchor": "bottom"},
        modebar={"remove": ["toImage", "lasso2d", "select2d", "autoScale2d"]},
    )
    axis = {
        "gridcolor": "rgba(128,138,158,.22)",
        "zeroline": False,
        "automargin": True,
        "title": {"font": {"size": 13}},
    }
    figure.update_xaxes(axis)
    figure.update_yaxes(axis)
    if left:
        figure.update_yaxes(autorange="reversed", showgrid=False)
    return figure


def bar(title: str) -> dict[str, Any]:
    """A colour scale with its title along it."""
    return {"title": {"text": t(title), "side": "right", "font": {"size": 13}}, "thickness": 12}


def plotly_source() -> str:
    """The plotting library as JavaScript, for figures that are taken away as HTML."""
    from plotly.offline import get_plotlyjs

    return get_plotlyjs()
