"""A language model small enough to train in a blink: `python -m benchmarks.tiny_lm OUT`.

A GPT-2 of two layers over bytes, trained from scratch on the project's own seed examples, each written as the prompt
of its task with the right answer. It knows little, which is what a workbench for blind spots needs to be tried on:
`python app.py --model sentiment=OUT` probes it, and benchmarks and tests take it through the whole loop.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from data.seed import seed_rows
from data.tasks import TASKS
from data.tasks.template import default_template

END = "<|end|>"
WINDOW = 512
LONGEST = 200
"""Longer texts are not trained on: they would cost most of the time."""


ASKED = tuple(name for name, task in TASKS.items() if task.prompt)
"""The tasks that a language model can be asked."""


def byte_tokenizer() -> PreTrainedTokenizerFast:
    """A token for each byte, and one for the end of a text."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {END: 0, **{byte: i + 1 for i, byte in enumerate(alphabet)}}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END, model_max_length=WINDOW)


def seed_texts(tasks: Sequence[str] = ASKED) -> list[str]:
    """Each retention row as its prompt with the right answer."""
    texts = []
    for name in tasks:
        task = TASKS[name]
        template = default_template(task)
        for row in seed_rows(task, "retention"):
            answer = template.continuations(task, row["example"])[row["label"]]
            texts.append(template.render(row["example"])[0] + answer)
    return texts


def train_tiny(folder: Path, steps: int = 120, width: int = 64, seed: int = 0, tasks: Sequence[str] = ASKED) -> Path:
    """Writes the trained model and its tokenizer, as `from_pretrained` reads them."""
    tokenizer = byte_tokenizer()
    torch.manual_seed(seed)
    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_positions=WINDOW,
        n_embd=width,
        n_layer=2,
        n_head=4,
        bos_token_id=0,
        eos_token_id=0,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
    )
    model = GPT2LMHeadModel(config)
    encoded = tokenizer(seed_texts(tasks), verbose=False)["input_ids"]
    texts = [[*ids, 0] for ids in encoded if len(ids) < LONGEST]
    rng = random.Random(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps)
    for _ in range(steps):
        rows = sorted(rng.sample(texts, 16), key=len)
        longest = len(rows[-1])
        ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
        loss = model(input_ids=ids, attention_mask=mask, labels=ids.masked_fill(mask == 0, -100)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m benchmarks.tiny_lm OUT")
    print(f"Wrote {train_tiny(Path(sys.argv[1]))}")
