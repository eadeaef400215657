"""The symmetric contrastive loss of CLIP (Radford et al. 2021, arXiv 2103.00020), by open_clip's implementation."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

INITIAL_TEMPERATURE = 0.07
MAX_SCALE = 100.0


class SymmetricInfoNCE(nn.Module):
    """Cross-entropy of every metadata row against every text of the batch, and back, with learned temperature.

    The scale (one over the temperature) starts at 1 / 0.07 and never exceeds 100, as in CLIP. Equal texts or equal
    metadata within a batch would be false negatives: `DistinctBatches` keeps them apart.
    """

    def __init__(self) -> None:
        super().__init__()
        try:
            from open_clip.loss import ClipLoss
        except ImportError as error:
            raise ImportError("training needs open_clip: run `pip install talkwalk[train]`") from error
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / INITIAL_TEMPERATURE)))
        self._loss = ClipLoss(local_loss=True, gather_with_grad=True)

    @property
    def scale(self) -> Tensor:
        """One over the temperature."""
        return self.log_scale.exp().clamp(max=MAX_SCALE)

    def forward(self, metadata: Tensor, text: Tensor) -> Tensor:
        """Scalar loss of unit vectors (batch, dim) and (batch, dim); row i matches row i."""
        return self._loss(metadata, text, self.scale)
