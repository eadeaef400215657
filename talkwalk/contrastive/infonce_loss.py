"""The contrastive losses, by their libraries: CLIP's (open_clip) and InfoNCE with given negatives (info_nce).

Radford et al. 2021, arXiv 2103.00020; van den Oord et al. 2018, arXiv 1807.03748.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from talkwalk.contrastive.processes import Processes

INITIAL_TEMPERATURE = 0.07
MAX_SCALE = 100.0


class SymmetricInfoNCE(nn.Module):
    """Cross-entropy of every metadata row against every text of the batch, and back, with learned temperature.

    The scale (one over the temperature) starts at 1 / 0.07 and never exceeds 100, as in CLIP. Equal texts or equal
    metadata within a batch would be false negatives: `DistinctBatches` keeps them apart.

    Args:
        processes: Where several train together, each gives its share of the batch and is set against the others'; the
            mean of their gradients is exactly that of the whole batch.
    """

    def __init__(self, processes: Processes | None = None) -> None:
        super().__init__()
        try:
            from open_clip.loss import ClipLoss
        except ImportError as error:
            raise ImportError("training needs open_clip: run `pip install talkwalk[train]`") from error
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / INITIAL_TEMPERATURE)))
        all_of_us = processes or Processes()
        self._loss = ClipLoss(local_loss=True, gather_with_grad=True, rank=all_of_us.rank, world_size=all_of_us.count)

    @property
    def scale(self) -> Tensor:
        """One over the temperature."""
        return self.log_scale.exp().clamp(max=MAX_SCALE)

    def forward(self, metadata: Tensor, text: Tensor) -> Tensor:
        """Scalar loss of unit vectors (batch, dim) and (batch, dim); row i matches row i."""
        return self._loss(metadata, text, self.scale)


def info_nce(
    query: Tensor, positive: Tensor, negatives: Tensor, *, temperature: float, reduction: str = "mean"
) -> Tensor:
    """Cross-entropy of each query between its positive and negatives, the mean or one by one.

    Args:
        query: Vectors, (batch, dim); normalised inside, as the others.
        positive: Row i belongs to query i, (batch, dim).
        negatives: Its own for every query, (batch, negatives, dim), or the same for all, (negatives, dim).
        temperature: Softmax temperature.
        reduction: "mean", or "none" for one value per query, (batch,).
    """
    try:
        from info_nce import InfoNCE
    except ImportError as error:
        raise ImportError("training needs info-nce-pytorch: run `pip install talkwalk[train]`") from error
    mode = "paired" if negatives.dim() == 3 else "unpaired"
    return InfoNCE(temperature=temperature, reduction=reduction, negative_mode=mode)(query, positive, negatives)
