"""What a Gradio user has today: `gr.Interface` round a `transformers.pipeline`; and a handler that does nothing.

`python -m benchmarks.peer FOLDER PORT` serves an exported folder of the inference task.
"""

from __future__ import annotations

import sys

import gradio as gr
from transformers import pipeline


def main() -> None:
    folder, port = sys.argv[1:3]
    pipe = pipeline("text-classification", model=folder, top_k=None, device="cpu")

    def predict(premise: str, hypothesis: str) -> dict[str, float]:
        return {one["label"]: one["score"] for one in pipe({"text": premise, "text_pair": hypothesis})}

    def empty(text: str) -> str:
        return text

    with gr.Blocks() as page:
        gr.Interface(predict, [gr.Textbox(), gr.Textbox()], gr.Label(), api_name="predict")
        gr.api(empty, api_name="empty")
    page.launch(server_port=int(port), quiet=True)


if __name__ == "__main__":
    main()
