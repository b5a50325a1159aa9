"""What the store and the live version look like: the figures of the Figures tab; rows in, plotly figures out."""

from __future__ import annotations

from datetime import date
from typing import Any

import plotly.graph_objects as go

from components.figures import ACCENT, MUTED, OPPOSE, PALETTE, PATTERNS, bar, finish
from components.languages import t

HEIGHT = 360
LINE = {"width": 2.5}
CURVES = (
    ("taught", "taught", ACCENT, "dot"),
    ("siblings", "unseen siblings", ACCENT, "solid"),
    ("held_out", "held-out flags", PALETTE[2], "dash"),
    ("contrasts", "unseen contrasts", OPPOSE, "solid"),
    ("retention", "retention set", MUTED, "solid"),
)
"""Split, name, colour and dash of the lines of `repair_curves`."""


def failures_by_week(rows: list[dict[str, Any]]) -> go.Figure:
    """Corrections stored, by week and category: rows of `data.queries.weekly_failures`."""
    figure = go.Figure()
    weeks = sorted({row["week"] for row in rows})
    for number, category in enumerate(sorted({row["category"] for row in rows})):
        counts = {row["week"]: row["count"] for row in rows if row["category"] == category}
        figure.add_bar(
            x=[f"{date.fromisoformat(week):%d %b<br>%Y}" for week in weeks],
            y=[counts.get(week, 0) for week in weeks],
            name=category,
            marker={
                "color": PALETTE[number % len(PALETTE)],
                "pattern": {"shape": PATTERNS[number // len(PALETTE) % 4]},
            },
        )
    figure.update_layout(barmode="stack", bargap=0.35, showlegend=True)
    figure.update_xaxes(title="week that begins on (UTC)", type="category", tickangle=0)
    figure.update_yaxes(title="corrections", rangemode="tozero")
    return finish(figure, "Failures kept, by week and category", HEIGHT + 40, below=74)


def confidences(found: dict[str, list[float]]) -> go.Figure:
    """How sure the model was where it was right and where it was wrong, as people judged."""
    figure = go.Figure()
    for kind, name, colour in (("confirmation", "right", ACCENT), ("correction", "wrong", OPPOSE)):
        figure.add_histogram(
            x=[100 * p for p in found.get(kind, [])],
            name=name,
            marker_color=colour,
            xbins={"start": 0, "end": 100.01, "size": 10},
        )
    figure.update_layout(barmode="group", showlegend=True)
    figure.update_xaxes(title="the model's confidence (%)", range=[0, 100])
    figure.update_yaxes(title="judged answers", rangemode="tozero")
    return finish(figure, "How sure it was of what people judged", HEIGHT)


def reliability(curves: dict[str, tuple[list[tuple[float, float, int]], float]]) -> go.Figure:
    """Share right by confidence; on the diagonal a version is as often right as it is sure.

    `curves` gives for each version the bins of `models.calibration.reliability` and its expected calibration error.
    """
    figure = go.Figure()
    figure.add_scatter(
        x=[0, 100], y=[0, 100], mode="lines", name="as sure as right", line={"color": MUTED, "dash": "dot"}
    )
    for (name, (bins, error)), colour, symbol in zip(
        curves.items(), (ACCENT, OPPOSE), ("circle", "diamond"), strict=False
    ):
        figure.add_scatter(
            x=[100 * confidence for confidence, _, _ in bins],
            y=[100 * share for _, share, _ in bins],
            mode="lines+markers",
            name=f"{name} (error {100 * error:.1f} points)",
            line={**LINE, "color": colour},
            marker={"symbol": symbol, "size": 9},
            customdata=[count for *_, count in bins],
            hovertemplate="sure %{x:.0f} %, right %{y:.0f} % of %{customdata} rows<extra></extra>",
        )
    figure.update_xaxes(title="confidence (%)", range=[-3, 103])
    figure.update_yaxes(title="right (%)", range=[-3, 103])
    return finish(figure, "Reliability on the validation set", HEIGHT)


def repair_curves(rows: list[dict[str, Any]]) -> go.Figure:
    """Share right on each split, version by version: rows with `version` and, by split, accuracies (or None)."""
    figure = go.Figure()
    names = [row["version"] for row in rows]
    for split, title, colour, dash in CURVES:
        shares = [None if row.get(split) is None else 100 * row[split] for row in rows]
        if any(share is not None for share in shares):
            figure.add_scatter(
                x=names,
                y=shares,
                mode="lines+markers",
                name=title,
                line={**LINE, "color": colour, "dash": dash},
                marker={"size": 8},
                connectgaps=True,
            )
    figure.update_xaxes(title="version, the oldest first", type="category")
    figure.update_yaxes(title="right (%)", range=[-3, 103])
    return finish(figure, "Repair curves, along the live version's line", HEIGHT)


def agreement(pairs: list[dict[str, Any]]) -> go.Figure:
    """Cohen's kappa of each two annotators who judged the same examples: `first`, `second`, `kappa`, `rows`."""
    people = sorted({pair[side] for pair in pairs for side in ("first", "second")})
    known = {frozenset((pair["first"], pair["second"])): pair for pair in pairs}
    cells = [[known.get(frozenset((a, b))) if a != b else None for b in people] for a in people]
    figure = go.Figure()
    figure.add_heatmap(
        z=[[None if cell is None else cell["kappa"] for cell in line] for line in cells],
        x=people,
        y=people,
        text=[
            ["" if cell is None else f"{cell['kappa']:.2f}<br>({cell['rows']})" for cell in line] for line in cells
        ],
        texttemplate="%{text}",
        zmin=-1,
        zmax=1,
        colorscale="Cividis",
        xgap=2,
        ygap=2,
        hoverongaps=False,
        colorbar=bar("kappa"),
        hovertemplate="%{y} and %{x}: kappa %{z:.2f}<extra></extra>",
    )
    figure.update_xaxes(title="annotator", type="category")
    figure.update_yaxes(title="annotator", type="category")
    return finish(figure, "Agreement (Cohen's kappa, examples in brackets)", HEIGHT, left=True)


def hunt(rows: list[dict[str, Any]]) -> go.Figure:
    """Tries and seconds that each failure took, by category: rows of `data.hunting.economics` with tries."""
    from plotly.subplots import make_subplots

    figure = make_subplots(1, 2, shared_yaxes=True, horizontal_spacing=0.06)
    names = [t(row["category"]) for row in rows]
    for column, (key, title, unit, colour) in enumerate(
        (
            ("tries_each", "tries", "tries a failure", ACCENT),
            ("seconds_each", "seconds", "seconds a failure", OPPOSE),
        ),
        1,
    ):
        values = [row[key] for row in rows]
        figure.add_bar(
            y=names,
            x=values,
            orientation="h",
            name=title,
            marker_color=colour,
            text=["none yet" if value is None else f"{value:.1f}" for value in values],
            textposition="outside",
            cliponaxis=False,
            customdata=[[row["tries"], row["failures"]] for row in rows],
            hovertemplate="%{y}: %{x:.1f} " + unit + " (%{customdata[0]} tries, %{customdata[1]} failures)"
            "<extra></extra>",
            showlegend=False,
            row=1,
            col=column,
        )
        figure.update_xaxes(title=unit, rangemode="tozero", row=1, col=column)
    figure.update_yaxes(title="category", row=1, col=1)
    return finish(figure, "What a failure has cost", max(HEIGHT - 100, 130 + 34 * len(rows)), left=True)
