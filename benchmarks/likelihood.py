"""What sharing a prompt saves: `python -m benchmarks.likelihood`.

A language model scores the choices of questions with a context of 200 words in three ways, in turn: the shared prompt
computed once (as versions do), every choice with its prompt in one batch, and every choice by itself without padding
or cache, which is the plain reading that the others are compared with. The weights are random: they change no time.
`--calibrated` scores each choice after the empty prompt too. Without `--config` the model is a GPT-2 of six layers.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from typing import Annotated

import torch
import typer
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoConfig, AutoModelForCausalLM, GPT2Config, PreTrainedTokenizerFast

from benchmarks.machine import describe_machine
from benchmarks.tiny_lm import END, seed_texts
from data.tasks import get_task
from data.tasks.template import default_template
from models.device import choose_device
from models.inputs import Batch
from models.likelihood import LikelihoodHead, score_continuations, score_sequences, score_unshared

CONTEXT_WORDS = 200


def word_tokenizer(size: int = 4000) -> PreTrainedTokenizerFast:
    """Byte-pair encoding of the project's seed examples: about one token a word."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=[END], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(seed_texts(), trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END, model_max_length=1024)


def long_example(choices: int, seed: int = 0) -> dict[str, object]:
    """A commonsense question whose context has 200 words, drawn from the seed examples."""
    rng = random.Random(seed)
    words = " ".join(rng.sample(seed_texts(("commonsense",)), 60)).split()
    picked = [" ".join(rng.sample(words, 3)) for _ in range(choices)]
    return {"context": " ".join(words[:CONTEXT_WORDS]), "question": "What happens next?", "choices": picked}


def one_by_one(model: torch.nn.Module, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Each continuation by itself, without padding and without a cache."""
    sums, counts = [], []
    for row, prefix in enumerate(batch["prefix"].tolist()):
        head = batch["input_ids"][prefix][batch["attention_mask"][prefix].bool()]
        rest = batch["rest_ids"][row][batch["rest_mask"][row].bool()]
        ids = torch.cat([head, rest]).unsqueeze(0)
        start = batch["start"][[row]] + len(head)
        total, count = score_sequences(model, ids, torch.ones_like(ids), ids, start)
        sums.append(total)
        counts.append(count)
    return torch.cat(sums), torch.cat(counts)


WAYS: dict[str, Callable] = {
    "shared prompt": score_continuations,
    "prompt with each choice": score_unshared,
    "one by one": one_by_one,
}


def main(
    choices: Annotated[int, typer.Option(help="answers a question")] = 5,
    questions: Annotated[int, typer.Option(help="in a batch")] = 4,
    rounds: int = 7,
    calibrated: bool = False,
    config: Annotated[str | None, typer.Option(help="another model's configuration: a folder or a Hub name")] = None,
    device: str = "auto",
) -> None:
    tokenizer, place = word_tokenizer(), choose_device(device)
    torch.manual_seed(0)
    if config:
        chosen = AutoConfig.from_pretrained(config)
    else:
        chosen = GPT2Config(
            vocab_size=len(tokenizer), n_embd=384, n_layer=6, n_head=6, bos_token_id=0, eos_token_id=0
        )
    dtype = torch.bfloat16 if place.type == "cuda" else torch.float32
    model = AutoModelForCausalLM.from_config(chosen, dtype=dtype).to(place).eval()
    task = get_task("commonsense")
    template = default_template(task)
    head = LikelihoodHead(task, tokenizer, 1024, type(template)(template.prompt, (), calibrated))
    batch = head.collate(head.encode([long_example(choices, seed) for seed in range(questions)]))
    batch = {name: value.to(place) for name, value in batch.items()}
    print(describe_machine())
    size = sum(p.numel() for p in model.parameters()) / 1e6
    print(
        f"Model    {size:.0f} M weights, random, {str(dtype).removeprefix('torch.')}\n"
        f"Input    {questions} questions of {CONTEXT_WORDS} words "
        f"({batch['attention_mask'].sum(1).float().mean():.0f} tokens) and {choices} choices\n"
    )
    seconds: dict[str, list[float]] = {name: [] for name in WAYS}
    found = {}
    for turn in range(rounds + 1):  # the first warms up
        for name, score in WAYS.items():
            start = time.perf_counter()
            with torch.inference_mode():
                found[name] = score(model, batch)[0].float().cpu()
            if turn:
                seconds[name].append(time.perf_counter() - start)
    slowest = statistics.median(seconds["prompt with each choice"])
    print("| way | ms, median | least to most | times as fast | largest difference |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name, times in seconds.items():
        middle = statistics.median(times)
        off = (found[name] - found["one by one"]).abs().max()
        print(
            f"| {name} | {1000 * middle:.0f} | {1000 * min(times):.0f} to {1000 * max(times):.0f} | "
            f"{slowest / middle:.1f} | {off:.1e} |"
        )
    if place.type == "cuda":
        print(f"\nPeak GPU memory {torch.cuda.max_memory_allocated(place) / 2**30:.1f} GiB.")


if __name__ == "__main__":
    typer.run(main)
