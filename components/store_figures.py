"""What the store and the live version look like: the figures of the Figures tab; rows in, plotly figures out."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import plotly.graph_objects as go

from components.figures import ACCENT, MUTED, OPPOSE, PALETTE, PATTERNS, bar, finish
from components.languages import t

HEIGHT = 360
DAY_MS = 24 * 60 * 60 * 1000
MOST_WEEKS = 6
"""More weeks than this are not all named on the axis."""
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
    categories = sorted({row["category"] for row in rows})
    for number, category in enumerate(categories):
        counts = {row["week"]: row["count"] for row in rows if row["category"] == category}
        figure.add_bar(
            x=weeks,
            width=5 * DAY_MS,
            y=[counts.get(week, 0) for week in weeks],
            name=category,
            marker={
                "color": PALETTE[number % len(PALETTE)],
                "pattern": {"shape": PATTERNS[number // len(PALETTE) % 4]},
            },
        )
    figure.update_layout(barmode="stack", bargap=0.35, showlegend=True)
    first, last = (date.fromisoformat(week) for week in (weeks[0], weeks[-1]))
    every = 7 * (1 + (last - first).days // 7 // MOST_WEEKS)
    around = [str(first - timedelta(days=4)), str(last + timedelta(days=4))]
    ticks = {"tick0": weeks[0], "dtick": every * DAY_MS, "tickformat": t("%d %b") + "<br>%Y"}
    figure.update_xaxes(title="week that begins on (UTC)", type="date", tickangle=0, range=around, **ticks)
    figure.update_yaxes(title="corrections", rangemode="tozero")
    return finish(figure, "Failures kept, by week and category", HEIGHT + 14 * len(categories))


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
            name=t("{name} (error {points} points)", name=name, points=f"{100 * error:.1f}"),
            line={**LINE, "color": colour},
            marker={"symbol": symbol, "size": 9},
            customdata=[count for *_, count in bins],
            hovertemplate=t("sure %{x:.0f} %, right %{y:.0f} % of %{customdata} rows<extra></extra>"),
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
        hovertemplate="%{y}, %{x}: kappa %{z:.2f}<extra></extra>",
    )
    figure.update_xaxes(title="annotator", type="category")
    figure.update_yaxes(title="annotator", type="category")
    return finish(figure, "Agreement (Cohen's kappa, examples in brackets)", HEIGHT, left=True)


def hunt(rows: list[dict[str, Any]]) -> go.Figure:
    """Tries that each failure took, and seconds in words, by category: `data.hunting.economics` with tries."""
    tries = [row["tries_each"] or 0 for row in rows]
    figure = go.Figure()
    figure.add_bar(
        y=[t(row["category"]) for row in rows],
        x=tries,
        orientation="h",
        marker_color=ACCENT,
        text=[
            t("none yet") if row["tries_each"] is None else f"{row['tries_each']:.1f} ({row['seconds_each']:.0f} s)"
            for row in rows
        ],
        textposition="outside",
        cliponaxis=False,
        customdata=[[row["tries"], row["failures"]] for row in rows],
        hovertemplate=t("%{y}: %{text} (%{customdata[0]} tries, %{customdata[1]} failures)<extra></extra>"),
        showlegend=False,
    )
    figure.update_xaxes(title="tries a failure (seconds)", range=[0, 2 * max([*tries, 1])])
    figure.update_yaxes(title="category")
    return finish(figure, "What a failure has cost", max(HEIGHT - 100, 130 + 30 * len(rows)), left=True)
