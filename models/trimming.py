"""The smallest changes that a run made, taken back at its end.

Adam moves a weight about as far whether its gradient says something or only trembles. So much of what a run changes
is noise, which costs elsewhere and repairs nothing: the trim step of TIES-Merging (Yadav et al. 2023), here between a
parent and its child.
"""

from __future__ import annotations

import torch

HEAD = "modules_to_save"
"""In the name of what an adapter trains whole; it is small, and stays as it was trained."""


class Trim:
    """Remembers a model's trainable matrices as they are, and later takes back the smallest changes to each."""

    def __init__(self, model: torch.nn.Module, share: float) -> None:
        self.model, self.share = model, share
        self.start = {name: matrix.detach().cpu().clone() for name, matrix in self._matrices()} if share else {}

    def apply(self) -> None:
        """Puts that share of each matrix's weights back, those that moved least."""
        with torch.no_grad():
            for name, matrix in self._matrices() if self.share else ():
                start = self.start[name].to(matrix.device)
                moved = (matrix - start).abs().flatten()
                count = int(self.share * moved.numel())
                if count:
                    least = moved.kthvalue(count).values.view(())
                    matrix.copy_(torch.where((matrix - start).abs() > least, matrix, start))

    def _matrices(self) -> list[tuple[str, torch.nn.Parameter]]:
        return [
            (name, p)
            for name, p in self.model.named_parameters()
            if p.requires_grad and p.ndim > 1 and HEAD not in name
        ]
