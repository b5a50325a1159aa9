"""Colours, type and spacing of the page, in light and dark; one accent colour, and a pair that the
colour-blind tell apart for what supports and what opposes."""

from pathlib import Path

import gradio as gr

ACCENT = "#3454d1"
SUPPORT = "#1f6fb2"
OPPOSE = "#c2500a"
LABEL_COLORS = {
    "entailment": SUPPORT,
    "positive": SUPPORT,
    "neutral": "#767c89",
    "contradiction": OPPOSE,
    "negative": OPPOSE,
}

SPAN_COLORS = {"PER": SUPPORT, "LOC": "#2e8b57", "ORG": OPPOSE, "MISC": "#8a63b8"}
"""What types of spans are marked in."""

_accent = gr.themes.Color(
    name="blindspot",
    c50="#f0f3ff",
    c100="#e0e7ff",
    c200="#c5d0fb",
    c300="#9fb1f5",
    c400="#7389ec",
    c500="#4f69df",
    c600="#3454d1",
    c700="#2a44b0",
    c800="#26398c",
    c900="#22316f",
    c950="#161f47",
)
_ink = gr.themes.Color(
    name="ink",
    c50="#f8f9fb",
    c100="#f0f2f6",
    c200="#e2e6ed",
    c300="#ccd2dd",
    c400="#9aa3b4",
    c500="#667085",
    c600="#4a5365",
    c700="#353d4d",
    c800="#222936",
    c900="#151a24",
    c950="#0d1118",
)


def theme() -> gr.themes.Base:
    return gr.themes.Default(
        primary_hue=_accent,
        secondary_hue=_accent,
        neutral_hue=_ink,
        radius_size=gr.themes.sizes.radius_md,
        spacing_size=gr.themes.sizes.spacing_md,
        font=[
            gr.themes.LocalFont("IBM Plex Sans", weights=(400, 700)),
            "ui-sans-serif",
            "system-ui",
            "sans-serif",
        ],
        font_mono=[gr.themes.LocalFont("IBM Plex Mono", weights=(400, 700)), "ui-monospace", "monospace"],
    ).set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        body_text_color="*neutral_800",
        body_text_color_dark="*neutral_100",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        link_text_color_dark="*primary_200",
        link_text_color_visited_dark="*primary_200",
        link_text_color_hover_dark="*primary_100",
        link_text_color_active_dark="*primary_100",
        block_background_fill="white",
        block_background_fill_dark="*neutral_900",
        block_border_width="1px",
        block_shadow="none",
        block_shadow_dark="none",
        block_label_text_color="*neutral_600",
        block_label_text_color_dark="*neutral_300",
        block_title_text_color="*neutral_700",
        block_title_text_color_dark="*neutral_200",
        block_title_text_weight="600",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_300",
        input_background_fill="*neutral_50",
        input_background_fill_dark="*neutral_950",
        input_border_color="*neutral_300",
        input_border_color_dark="*neutral_700",
        input_placeholder_color="*neutral_500",
        input_placeholder_color_dark="*neutral_400",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover_dark="*primary_500",
        button_primary_text_color="white",
        button_primary_text_color_dark="white",
        button_secondary_background_fill="*neutral_100",
        button_secondary_background_fill_hover="*neutral_200",
        button_secondary_text_color="*neutral_800",
        button_secondary_background_fill_dark="*neutral_800",
        button_secondary_background_fill_hover_dark="*neutral_700",
        button_secondary_text_color_dark="*neutral_100",
        button_large_text_weight="600",
        button_transition="background-color .12s",
    )


HERE = Path(__file__).parent
CSS_FILE = HERE / "page.css"
SHORTCUTS = (HERE / "page.js").read_text(encoding="utf-8")
FIGURE_TOOLS = (HERE / "figures.js").read_text(encoding="utf-8")
