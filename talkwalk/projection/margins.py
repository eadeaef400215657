"""Where to draw the line: from which odds on something counts as asked for.

Losses learn odds on words that training knows, and of words that it does not know the odds come out too low. So once a
head has learned, the line of each kind of request is drawn where validation wordings are judged best, and moved into
the layers' biases: everybody else goes on asking whether a logit is above 0.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from talkwalk.projection.projection_head import AbsoluteHead, AnchoredHead, Intent
from talkwalk.projection.turns import TurnTable

LINES = np.arange(-3.0, 1.25, 0.25)  # logits that are tried


class Margins(NamedTuple):
    """Logits from which on something counts as asked for.

    Attributes:
        asked: A category.
        without: The refusal of a category.
        within: A range.
        returns: Going back.
    """

    asked: float = 0.0
    without: float = 0.0
    within: float = 0.0
    returns: float = 0.0


# How many times as bad as something read into the words is something missed, as the beta of an F score: what was
# refused and is shown anyhow cannot be taken back.
BETAS = Margins(asked=1.0, without=2.0, within=1.0, returns=1.0)


def best_line(logits: np.ndarray, wanted: np.ndarray, beta: float) -> float:
    """The logit of `LINES` from which on saying yes has the highest F score (van Rijsbergen 1979), all entries alike.

    Args:
        logits: Of something being asked for, (turns, things).
        wanted: True where it is, (turns, things).
        beta: Weight of what is missed.

    Returns:
        0.0 where no line is better than that; of several best ones, the nearest to it.
    """
    scores = [f_score(logits > line, wanted, beta) for line in LINES]
    best = [line for line, score in zip(LINES, scores, strict=True) if score == max(scores)]
    return float(min(best, key=abs))


def f_score(found: np.ndarray, wanted: np.ndarray, beta: float) -> float:
    """(1 + b^2) hits / ((1 + b^2) hits + b^2 misses + false alarms); 0.0 without a hit."""
    hits, missed, false = (found & wanted).sum(), (~found & wanted).sum(), (found & ~wanted).sum()
    weighted = (1 + beta**2) * hits
    return float(weighted / max(weighted + beta**2 * missed + false, 1))


@torch.inference_mode()
def draw_lines(head: AbsoluteHead | AnchoredHead, table: TurnTable) -> Margins:
    """Move the head's biases so that 0 is the best line for the turns of `table`; returns where it was before."""
    read = head(torch.as_tensor(table.states), torch.as_tensor(table.anchors))
    margins = Margins(
        *(best_line(getattr(read, n).numpy(), getattr(table, n) > 0, getattr(BETAS, n)) for n in Margins._fields)
    )
    shift(head.intent, margins)
    return margins


@torch.no_grad()
def shift(intent: Intent, margins: Margins) -> None:
    """Let everything that had the logit of its margin have the logit 0."""
    asked, without = intent.named.bias.chunk(2)
    for bias, margin in (
        (asked, margins.asked), (without, margins.without), (intent.within.bias, margins.within),
        (intent.returns.bias, margins.returns),
    ):  # fmt: skip
        bias -= margin
