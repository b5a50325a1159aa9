"""The parent as a model to train, what of it stays frozen, and the trained weights as files."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from data.tasks import Task
from models.checkpoint import adapter_scale, halve_adapter, load_base, merge_adapter
from models.folders import ADAPTER, ADAPTER_CONFIG, WEIGHTS
from models.placement import is_quantized
from models.recipe import Recipe

SINGULAR_SCALE = 32
"""By what AdaLoRA's product of three small factors is scaled up, so that it learns in a short run as LoRA's does."""


def trainable_model(
    folder: Path, card: dict[str, Any], task: Task, recipe: Recipe, device: torch.device, steps: int = 100
) -> tuple[torch.nn.Module, Any, bool]:
    """The parent as a model to train, its tokenizer, and whether the result is an adapter over the base.

    `steps`: how many the run may make; AdaLoRA divides them.
    """
    from peft import LoraConfig, PeftModel, get_peft_model, prepare_model_for_kbit_training

    base, tokenizer = load_base(folder, card, "eager" if device.type == "cpu" else None, device)
    if is_quantized(base):
        if recipe.method not in ("lora", "head"):
            raise ValueError(f"Recipe option method: a model in four bits takes lora; found {recipe.method!r}.")
        base = prepare_model_for_kbit_training(base, use_gradient_checkpointing=False)
    for module in base.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = recipe.dropout
    has_adapter = (folder / ADAPTER).exists()
    adapted = not (folder / WEIGHTS).exists()
    if recipe.method in ("full", "adalora") and has_adapter:
        merge_adapter(base, folder)
    if recipe.method == "full":
        return base, tokenizer, False
    if recipe.method == "adalora":
        return get_peft_model(base, adalora_config(base, recipe.rank // 4, steps)), tokenizer, adapted
    if has_adapter:
        model = PeftModel.from_pretrained(base, folder, is_trainable=True, autocast_adapter_dtype=True)
    else:
        heads = head_modules(base)
        config = LoraConfig(
            r=recipe.rank,
            lora_alpha=2 * recipe.rank,
            target_modules="all-linear",
            exclude_modules=heads or None,
            modules_to_save=heads or None,
        )
        model = get_peft_model(base, config)
    if recipe.method == "head":
        if not head_modules(base):
            raise ValueError("Recipe option method: a language model has no head to train alone; take lora.")
        for name, parameter in model.named_parameters():
            parameter.requires_grad = "modules_to_save" in name
    return model, tokenizer, adapted


def adalora_config(base: torch.nn.Module, rank: int, steps: int) -> Any:
    """Ranks are cut from `rank` to half of it between the first fifth and the last third of the steps."""
    from peft import AdaLoraConfig

    heads, rank = head_modules(base), max(rank, 2)
    return AdaLoraConfig(
        init_r=rank,
        target_r=rank // 2,
        lora_alpha=SINGULAR_SCALE * rank,
        total_step=max(steps, 2),
        tinit=steps // 5,
        tfinal=steps // 3,
        deltaT=max(1, steps // 50),
        target_modules="all-linear",
        exclude_modules=heads or None,
        modules_to_save=heads or None,
    )


def freeze_layers(model: torch.nn.Module, count: int) -> None:
    """Keeps embeddings and the encoder's `count` lowest layers as they are. Raises ValueError where it has fewer."""
    if not count:
        return
    layer = re.compile(r"\.(?:layer|layers|h)\.(\d+)\.")
    found = {name: layer.search(name) for name, _ in model.named_parameters()}
    most = max((int(match[1]) + 1 for match in found.values() if match), default=0)
    if count > most:
        raise ValueError(f"Recipe option frozen_layers: expected at most the encoder's {most} layers; found {count}.")
    for name, parameter in model.named_parameters():
        if (found[name] and int(found[name][1]) < count) or "embeddings" in name:
            parameter.requires_grad = False


def halve_frozen_weights(model: torch.nn.Module) -> None:
    """Keeps the linear layers under the adapters in bfloat16, as autocast would cast them at every step.

    The answers stay the same to the bit; on two CPU cores a step takes about three quarters of the time.
    """
    from peft.tuners.adalora import SVDLinear
    from peft.tuners.lora import Linear

    for module in model.modules():
        if isinstance(module, Linear | SVDLinear):
            module.base_layer.to(torch.bfloat16)


def head_modules(model: torch.nn.Module) -> list[str]:
    """Names of the modules that a new task trains whole: those outside the encoder, and its pooler.

    None of a language model: what is outside it gives words their likelihood, and is no new task's.
    """
    if model.get_output_embeddings() is not None:
        return []
    heads = [
        name
        for name, child in model.named_children()
        if name != model.base_model_prefix and any(True for _ in child.parameters())
    ]
    pooler = getattr(getattr(model, model.base_model_prefix, None), "pooler", None)
    return [*heads, f"{model.base_model_prefix}.pooler.dense"] if pooler is not None else heads


def write_weights(folder: Path, model: torch.nn.Module, tokenizer: Any, adapted: bool, parent: Path) -> None:
    """An adapter in float16, or full weights with configuration and tokenizer."""
    if adapted:
        if has_singular_values(model):
            save_stacked(folder, model, parent)
        else:
            model.save_pretrained(folder, safe_serialization=True)
        halve_adapter(folder)
        (folder / "README.md").unlink(missing_ok=True)  # peft's empty template; the worker writes the card
        config = json.loads((folder / ADAPTER_CONFIG).read_text(encoding="utf-8"))
        config["base_model_name_or_path"] = None  # version.json names the base; no machine's path goes out
        if isinstance(config["target_modules"], list):
            config["target_modules"].sort()  # peft's is a set: the same run is to write the same file
        (folder / ADAPTER_CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        return
    if hasattr(model, "merge_and_unload"):
        model = model.merge_and_unload()
    model.save_pretrained(folder, safe_serialization=True)
    tokenizer.save_pretrained(folder)


def has_singular_values(model: torch.nn.Module) -> bool:
    """Whether the model's adapters are AdaLoRA's."""
    from peft.tuners.adalora import SVDLinear

    return any(isinstance(module, SVDLinear) for module in model.modules())


def save_stacked(folder: Path, model: Any, parent: Path) -> None:
    """The parent's adapter and the trained AdaLoRA beside it as one LoRA adapter: their products' sum, exactly.

    So the version has the form of any other: it is served, interpolated and gone on from in the same way.
    """
    from peft import LoraConfig
    from peft.tuners.adalora import SVDLinear

    factors: dict[str, list[torch.Tensor]] = {}
    if (parent / ADAPTER).exists():
        config = json.loads((parent / ADAPTER_CONFIG).read_text(encoding="utf-8"))
        for name, tensor in load_file(parent / ADAPTER).items():
            if ".lora_" in name:
                scale = adapter_scale(config) if ".lora_B." in name else 1.0
                factors.setdefault(name, []).append(scale * tensor.float())
    for name, module in model.named_modules():
        if isinstance(module, SVDLinear):
            (key,) = module.active_adapters
            scale = module.scaling[key] / (float(module.ranknum[key]) + 1e-5)
            down, up = scale * module.lora_E[key] * module.lora_A[key], module.lora_B[key]
            factors.setdefault(f"{name}.lora_A.weight", []).append(down.detach().float())
            factors.setdefault(f"{name}.lora_B.weight", []).append(up.detach().float())
    tensors = {n: torch.cat(parts, 0 if ".lora_A." in n else 1).contiguous() for n, parts in factors.items()}
    rank = next(len(tensor) for name, tensor in tensors.items() if ".lora_A." in name)
    whole = ".modules_to_save.default"
    heads = {n.replace(whole, ""): t.contiguous() for n, t in model.state_dict().items() if whole in n}
    save_file({**tensors, **heads}, folder / ADAPTER, metadata={"format": "pt"})
    made = next(iter(model.peft_config.values()))
    LoraConfig(
        r=rank,
        lora_alpha=rank,
        target_modules=made.target_modules,
        exclude_modules=made.exclude_modules,
        modules_to_save=made.modules_to_save,
        inference_mode=True,
    ).save_pretrained(folder)
