"""What a run changed is kept where its corrections lie, and taken back where general text does.

A layer is linear. So of all weights that answer taught rows as the trained layer does, and general rows as the
parent's did, the best are known: they solve a least-squares problem in the second moments of both inputs (RegMean,
Jin et al. 2023; here between a parent and its child). Of the child's change D there remains

    D C_taught (C_taught + weight C_general)^-1

A direction that the taught rows alone use keeps its change, and one that general text uses most loses it.
Interpolation shrinks every direction alike, and the repair goes before the damage does (docs/repair.md).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import torch
from peft.tuners.adalora import SVDLinear
from peft.tuners.lora import Linear

from models.batches import Rows, to_device
from models.distributed import as_the_first
from models.heads import Head

ROWS = 160
"""So many rows of a kind tell what a layer's inputs are like."""
BATCH = 64
MOST_WEIGHTS = 200_000_000
"""Of a larger model the moments take more memory than is left; for this many about 1.5 GB."""
ROUNDS = 4
"""Of least squares; more change little."""
RIDGE = 1e-4
"""Of the moments' mean: no direction is divided by next to nothing."""

Moments = dict[str, torch.Tensor]


class Anchor:
    """Remembers a model that is about to be trained, and its layers' inputs on general rows."""

    def __init__(self, model: torch.nn.Module, head: Head, rows: Rows, weight: float, bf16: bool) -> None:
        """General are the rows that keep the parent's answer. Without any, with a `weight` of 0, or in a model of
        more than MOST_WEIGHTS weights everything stays as it is trained; so do layers that are no `Linear`."""
        self.model, self.head, self.rows, self.weight, self.bf16 = model, head, rows, weight, bf16
        general = [i for i, row in enumerate(rows.rows) if row["distil"]]
        self.taught = [i for i, row in enumerate(rows.rows) if not row["distil"]]
        small = sum(parameter.numel() for parameter in model.parameters()) <= MOST_WEIGHTS
        self.layers = dict(_changing(model)) if weight and general and self.taught and small else {}
        self.general = self._moments(general) if self.layers else {}

    def apply(self) -> None:
        """Gives each trained layer the weights that answer taught rows as now and general ones as before."""
        if not self.layers:
            return
        taught = self._moments(self.taught)
        with torch.no_grad():
            for name in self.general.keys() & taught.keys():  # what no row reaches stays
                own, general = taught.pop(name).double(), self.general[name].double()
                both = own + self.weight * general
                both.diagonal().add_(RIDGE * both.diagonal().mean())
                self.layers[name].keep(own, torch.linalg.cholesky(both))
            as_the_first(parameter for parameter in self.model.parameters() if parameter.requires_grad)

    def _moments(self, chosen: Sequence[int]) -> Moments:
        """For each layer the mean product of its inputs with themselves over some of the rows: (input, input)."""
        sums: Moments = {}
        counts: dict[str, int] = {}
        mask = torch.empty(0)

        def add(name: str, inputs: torch.Tensor) -> None:
            inputs = inputs[mask] if inputs.shape[:-1] == mask.shape else inputs.flatten(0, -2)
            with torch.autocast(inputs.device.type, enabled=False):
                inputs = inputs.float()
                sums[name] = sums.get(name, 0) + (inputs.T @ inputs).cpu()
            counts[name] = counts.get(name, 0) + len(inputs)

        hooks = [
            layer.module.register_forward_pre_hook(lambda _, given, name=name: add(name, given[0]))
            for name, layer in self.layers.items()
        ]
        mode, device = self.model.training, next(self.model.parameters()).device
        self.model.eval()
        some = chosen[:: -(-len(chosen) // ROWS)]
        order = sorted(some, key=lambda i: self.rows.encoded[i].length)
        size = min(BATCH, self.head.most_rows)
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=self.bf16):
            for start in range(0, len(order), size):
                batch = self.head.collate([self.rows.encoded[i] for i in order[start : start + size]])
                mask = batch["attention_mask"].bool().to(device)
                self.head.logits(self.model, to_device(batch, device))
        for hook in hooks:
            hook.remove()
        self.model.train(mode)
        return {name: (total / max(counts[name], 1)).clone() for name, total in sums.items()}


class _Layer(ABC):
    """A layer that training changes, with what it was before."""

    def __init__(self, module: torch.nn.Module) -> None:
        self.module = module

    @abstractmethod
    def keep(self, taught: torch.Tensor, root: torch.Tensor) -> None:
        """Anchors the layer: `taught` are its inputs' moments, `root` the Cholesky factor of both moments' sum."""


class _Whole(_Layer):
    """All of its weights are trained."""

    def __init__(self, module: torch.nn.Linear) -> None:
        super().__init__(module)
        self.start = _copied(module.weight)

    def keep(self, taught: torch.Tensor, root: torch.Tensor) -> None:
        change = _copied(self.module.weight) - self.start
        self.module.weight.copy_(self.start + _kept(change, taught, root))


class _Singular(_Layer):
    """AdaLoRA's layer, whose product begins at nothing."""

    def keep(self, taught: torch.Tensor, root: torch.Tensor) -> None:
        (key,) = self.module.active_adapters
        down = self.module.lora_A[key]
        down.copy_(_kept(_copied(down), taught, root))


class _Adapted(_Layer):
    """LoRA's layer, which goes on from the parent's factors."""

    def __init__(self, module: Linear) -> None:
        super().__init__(module)
        self.start = self._factors()

    def keep(self, taught: torch.Tensor, root: torch.Tensor) -> None:
        (up, down), (old_up, old_down) = self._factors(), self.start
        ups = torch.cat([old_up, up], 1)
        downs = torch.cat([old_down - _kept(old_down, taught, root), _kept(down, taught, root)])
        up, down = _shortened(ups, downs @ root, up, down @ root)
        (key,) = self.module.active_adapters
        self.module.lora_B[key].weight.copy_(up)
        self.module.lora_A[key].weight.copy_(torch.linalg.solve_triangular(root, down, upper=False, left=False))

    def _factors(self) -> tuple[torch.Tensor, torch.Tensor]:
        (key,) = self.module.active_adapters
        return _copied(self.module.lora_B[key].weight), _copied(self.module.lora_A[key].weight)


def _changing(model: torch.nn.Module) -> Iterator[tuple[str, _Layer]]:
    # a language model's last layer may share its first one's weights
    shared = {module.weight for module in model.modules() if isinstance(module, torch.nn.Embedding)}
    for name, module in model.named_modules():
        if type(module) is SVDLinear and isinstance(module.base_layer, torch.nn.Linear):
            yield name, _Singular(module)
        elif type(module) is Linear and isinstance(module.base_layer, torch.nn.Linear):
            (key,) = module.active_adapters
            if module.lora_A[key].weight.requires_grad:
                yield name, _Adapted(module)
        elif type(module) is torch.nn.Linear and _stands_alone(name, module.weight, shared):
            yield name, _Whole(module)


def _stands_alone(name: str, weight: torch.nn.Parameter, shared: set[torch.nn.Parameter]) -> bool:
    """Whether these are trained weights of one layer, and neither an adapter's factor nor shared with another."""
    return weight.requires_grad and ".lora_" not in name and weight not in shared


def _copied(weight: torch.Tensor) -> torch.Tensor:
    return weight.detach().double().cpu().clone()


def _kept(change: torch.Tensor, taught: torch.Tensor, root: torch.Tensor) -> torch.Tensor:
    """Of a change of shape (any, input) what the taught rows alone account for."""
    return torch.cholesky_solve((change @ taught).T, root).T


def _shortened(
    ups: torch.Tensor, downs: torch.Tensor, up: torch.Tensor, down: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Factors as short as `up` and `down` whose product is as like as can be to that of `ups` and `downs`.

    By alternating least squares from `up` and `down`, and not by singular values: the strength dial interpolates
    factors, and Adam remembers gradients of them, so each column must go on meaning what it meant.
    """
    for _ in range(ROUNDS):
        down = torch.linalg.lstsq(up, ups).solution @ downs
        up = ups @ torch.linalg.lstsq(down.T, downs.T).solution.T
    return up, down
