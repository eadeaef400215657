"""From the language model's hidden state to a unit vector in the space."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from talkwalk.contrastive.mentions import PLACES
from talkwalk.projection.movements import Movements, Moves
from talkwalk.projection.spreads import Spreads

CURRENT, BACK, FIRST = 0, 1, 2  # anchor slots
SLOTS = 3
RETURNS = (BACK, FIRST)  # slots that a person may go back to
UNSAID = -4.0  # logit of what nobody said
REACH = 1.25  # times a movement's vector that training begins with: a chord falls short of its arc


class Said(NamedTuple):
    """What words ask for besides a place.

    Attributes:
        spread: How far apart the answers should be, -1 to 1, 0 as usual, (batch,).
        asked: Logits of every category having been asked for, (batch, categories).
        without: Logits of every category having been refused, (batch, categories).
        moves: Asked movement along every ordered item attribute.
        returns: Logits of going back to where it stood before, and of going back to the first thing, (batch, 2).
        spreads: Logits of `spreads.LEVELS`, (batch, 5).
        within: Logits of every range of an ordered attribute having been asked for, (batch, ranges).
    """

    spread: Tensor
    asked: Tensor
    without: Tensor
    moves: Moves
    returns: Tensor
    spreads: Tensor
    within: Tensor


class Projected(NamedTuple):
    """Where conversations stand, and what else was asked for.

    Attributes:
        positions: Unit vectors, (batch, dim).
        gates: How much of each anchor slot the position keeps, (batch, slots); zeros for the absolute head.
        spread: As in `Said`, like all that follows.
        asked: See `Said`.
        without: See `Said`.
        moves: See `Said`.
        returns: See `Said`.
        spreads: See `Said`.
        within: See `Said`.
    """

    positions: Tensor
    gates: Tensor
    spread: Tensor
    asked: Tensor
    without: Tensor
    moves: Moves
    returns: Tensor
    spreads: Tensor
    within: Tensor


class Intent(nn.Module):
    """What words say besides a place: how far apart, which categories, how far along which axis, and back where.

    A place in a smooth space cannot promise that a category stays out; a refusal that is read as such can.

    Args:
        hidden: Width of what was read from the state.
        categories: Number of category values.
        axes: Number of ordered item attributes.
        ranges: Number of ranges that can be asked for.
    """

    def __init__(self, hidden: int, categories: int, axes: int, ranges: int = 0) -> None:
        super().__init__()
        self.spread = Spreads(hidden)
        self.named = nn.Linear(hidden, 2 * categories)
        self.mentioned = nn.Linear(hidden, 2 * PLACES)
        self.moves = Movements(hidden, axes)
        self.returns = nn.Linear(hidden, len(RETURNS))
        self.within = nn.Linear(hidden, ranges)
        silent = {self.within: UNSAID, self.named: UNSAID, self.mentioned: 0.0, self.returns: UNSAID}
        for layer, start in silent.items():  # begin by reading nothing into the words
            nn.init.zeros_(layer.weight)
            nn.init.constant_(layer.bias, start)

    def forward(self, read: Tensor, mentions: Tensor) -> Said:
        """What was read (batch, hidden), and what is named (batch, places * categories), to what is asked for.

        Whether a named category is wanted or refused is learned once for all of them, besides for each.
        """
        named = mentions.unflatten(1, (PLACES, -1))
        asked, without = (
            each + (said[..., None] * named).sum(dim=1)
            for each, said in zip(self.named(read).chunk(2, dim=-1), self.mentioned(read).chunk(2, dim=-1), strict=True)
        )
        spread, spreads = self.spread(read)
        return Said(spread, asked, without, self.moves(read), self.returns(read), spreads, self.within(read))


class StateNorm(nn.Module):
    """Standardises hidden states channel by channel, with mean and spread taken from training states.

    A few channels of a language model are a hundred times larger than the rest; layer normalisation would leave them so
    and shrink everything else. The last channels, 0 or 1 for what the words name, are left as they are.

    Args:
        input_dim: Width of what is read of a turn: hidden states, and the words last said with what they name.
        categories: Number of category values.

    Raises:
        ValueError: If the width has no room for what is named.
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, input_dim: int, categories: int = 0) -> None:
        super().__init__()
        if input_dim < PLACES * categories:
            raise ValueError(f"input_dim must hold {PLACES} channels per category, got {input_dim} for {categories}")
        self.named = input_dim - PLACES * categories  # the first of those channels
        self.register_buffer("mean", torch.zeros(input_dim))
        self.register_buffer("spread", torch.ones(input_dim))

    def fit(self, states: Tensor) -> None:
        """Take mean and standard deviation from states (n, input_dim)."""
        self.mean[: self.named] = states[:, : self.named].mean(dim=0)
        self.spread[: self.named] = states[:, : self.named].std(dim=0).clamp(min=1e-6)

    def forward(self, states: Tensor) -> Tensor:
        """States (batch, input dim); all but what is named with mean 0 and deviation 1 over the training states."""
        return (states - self.mean) / self.spread


class HeadShape(NamedTuple):
    """Sizes of a head.

    Attributes:
        input_dim: Width of what is read of a turn: hidden states, and the words last said with what they name.
        dim: Dimension of the space.
        hidden: Width of the hidden layer.
        dropout: Dropout on the hidden layer.
        categories: Number of category values.
        axes: Number of ordered item attributes.
        ranges: Number of ranges that can be asked for.
    """

    input_dim: int
    dim: int
    hidden: int
    dropout: float
    categories: int
    axes: int
    ranges: int

    def trunk(self) -> nn.Sequential:
        """The first layer of every head, from standardised states to what is read of them."""
        return nn.Sequential(nn.Linear(self.input_dim, self.hidden), nn.GELU(), nn.Dropout(self.dropout))


class AbsoluteHead(nn.Module):
    """The founding two-layer head: the state alone says where to go.

    Args:
        shape: Its sizes.
    """

    walks = False  # it knows no way along an attribute

    def __init__(self, shape: HeadShape) -> None:
        super().__init__()
        hidden = shape.hidden
        self.norm = StateNorm(shape.input_dim, shape.categories)
        self.trunk = shape.trunk()
        self.place = nn.Linear(hidden, shape.dim)
        self.intent = Intent(hidden, shape.categories, shape.axes, shape.ranges)

    def forward(self, states: Tensor, anchors: Tensor) -> Projected:
        """States (batch, input dim) to positions; anchors (batch, slots, dim) are not used."""
        seen = self.norm(states)
        read = self.trunk(seen)
        positions = F.normalize(self.place(read), dim=-1)
        intent = self.intent(read, seen[:, self.norm.named :])
        return Projected(positions, anchors.new_zeros(anchors.shape[:2]), *intent)

    def along(self, amounts: Tensor) -> Tensor:
        """No way, since a head that goes to absolute places knows none: (batch, axes) to zeros (batch, dim)."""
        return amounts.new_zeros(len(amounts), self.place.out_features)


class AnchoredHead(nn.Module):
    """Walk, don't teleport: z = normalize(sum of gate_s * anchor_s + sum of reach_a * move_a * axis_a + delta).

    Gates, moves and delta are read from the state. Phase 1 lets every item move alike along an ordered attribute, so
    that "a touch newer" is an amount along a known vector, and need not be learned as a place; as far as an axis
    moves so, the delta has no part along it. Going back is no walk: where the words ask for it, z is the earlier place
    itself.

    The anchors are where the conversation stands (last item, or the profile at the start), where it stood before the
    last turn and the first thing shown, so that "go back" is a gate and not a memory. The delta also sees where it
    stands: leaving a category needs to know which one to leave.

    Args:
        shape: Its sizes.
    """

    walks = True
    axes: Tensor
    inverse: Tensor  # from a vector to how much of every axis it holds, (dim, axes)

    def __init__(self, shape: HeadShape) -> None:
        super().__init__()
        hidden = shape.hidden
        self.norm = StateNorm(shape.input_dim, shape.categories)
        self.trunk = shape.trunk()
        self.gates = nn.Linear(hidden, SLOTS)
        self.delta = nn.Sequential(nn.Linear(hidden + shape.dim, hidden), nn.GELU(), nn.Linear(hidden, shape.dim))
        self.intent = Intent(hidden, shape.categories, shape.axes, shape.ranges)
        self.register_buffer("axes", torch.zeros(shape.axes, shape.dim))
        self.register_buffer("inverse", torch.zeros(shape.dim, shape.axes))
        self.reach = nn.Parameter(torch.full((shape.axes,), REACH))
        with torch.no_grad():
            self.gates.bias.copy_(torch.tensor([2.0, -2.0, -2.0]))  # begin by staying where the conversation stands

    def fit_axes(self, axes: Tensor) -> None:
        """Take the movement that belongs to the whole scale of every ordered item attribute, (axes, dim)."""
        self.axes.copy_(axes)
        self.inverse.copy_(torch.linalg.pinv(axes))

    def forward(self, states: Tensor, anchors: Tensor) -> Projected:
        """States (batch, input dim) and anchors (batch, slots, dim) to positions (batch, dim).

        An absent anchor is a zero vector.
        """
        seen = self.norm(states)
        read = self.trunk(seen)
        gates = torch.sigmoid(self.gates(read))  # (batch, slots)
        delta = self.delta(torch.cat([read, anchors[:, CURRENT]], dim=-1))
        said = self.intent(read, seen[:, self.norm.named :])
        moves = said.moves
        # where an axis is to move, the move says how far; a delta that goes along it as well would blur that
        delta = delta - (moves.moving * (delta @ self.inverse)) @ self.axes
        walked = F.normalize((gates[..., None] * anchors).sum(dim=1) + self.along(moves.amounts) + delta, dim=-1)
        back = self._back(said.returns) * (anchors[:, RETURNS].norm(dim=-1) > 0)  # nowhere to go back to: walk on
        stay = (1 - back.sum(dim=1, keepdim=True)).clamp(min=0)
        place = F.normalize(stay * walked + (back[..., None] * anchors[:, RETURNS]).sum(dim=1), dim=-1)
        return Projected(place, gates, *said)

    def along(self, amounts: Tensor) -> Tensor:
        """Vectors that belong to movements on the attributes' [0, 1] scales: (batch, axes) to (batch, dim)."""
        return (amounts * self.reach) @ self.axes

    def _back(self, returns: Tensor) -> Tensor:
        """How much of each earlier place it is: shares in training, later all or nothing: half a way is no return."""
        if self.training:
            return torch.sigmoid(returns)
        likeliest = returns == returns.max(dim=-1, keepdim=True).values
        return ((returns > 0) & likeliest).to(returns.dtype)


HEADS: dict[str, type[AbsoluteHead] | type[AnchoredHead]] = {
    "absolute": AbsoluteHead,
    "anchored": AnchoredHead,
}


def build_head(
    kind: str,
    input_dim: int,
    dim: int,
    *,
    hidden: int,
    dropout: float,
    categories: int = 0,
    axes: int = 0,
    ranges: int = 0,
) -> AbsoluteHead | AnchoredHead:
    """A fresh head of kind "anchored" or "absolute", for so many category values, ordered attributes and ranges."""
    if kind not in HEADS:
        raise ValueError(f"head must be one of {sorted(HEADS)}, got {kind!r}")
    return HEADS[kind](HeadShape(input_dim, dim, hidden, dropout, categories, axes, ranges))
