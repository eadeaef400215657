"""Metadata to vectors: one network for items, users, and both together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F


class MetadataEncoder(nn.Module):
    """Three-layer perceptron from schema features to the unit sphere.

    Args:
        input_width: Width of `Features.joined()`.
        dim: Dimension of the space.
        hidden: Widths of the two hidden layers.
    """

    def __init__(self, input_width: int, dim: int, hidden: Sequence[int] = (1024, 512)) -> None:
        super().__init__()
        first, second = hidden
        self.dim = dim
        self.encoder = nn.Sequential(
            nn.Linear(input_width, first),
            nn.GELU(),
            nn.Linear(first, second),
            nn.GELU(),
            nn.Linear(second, dim),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Features (rows, input width) to unit vectors (rows, dim)."""
        return F.normalize(self.encoder(features).float(), dim=-1)

    @torch.inference_mode()
    def encode(self, features: np.ndarray, *, batch_size: int = 8192) -> np.ndarray:
        """As `forward`, from and to numpy, in batches, without gradients."""
        device = next(self.parameters()).device
        parts = [
            self(torch.as_tensor(features[start : start + batch_size], device=device)).float().cpu().numpy()
            for start in range(0, len(features), batch_size)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, self.dim), dtype=np.float32)
