"""From the space back to language: keeps the projection from collapsing, and shows what a position means."""

from __future__ import annotations

from torch import Tensor, nn


class AnchorDecoder(nn.Module):
    """Two layers from a position to the sentence embedding of a description of it.

    Args:
        dim: Dimension of the space.
        sentence_dim: Dimension of the frozen sentence encoder.
        hidden: Width of the hidden layer.
    """

    def __init__(self, dim: int, sentence_dim: int, hidden: int = 256) -> None:
        super().__init__()
        self.decoder = nn.Sequential(nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, sentence_dim))

    def forward(self, positions: Tensor) -> Tensor:
        """Positions (batch, dim) to sentence embeddings (batch, sentence_dim)."""
        return self.decoder(positions)
