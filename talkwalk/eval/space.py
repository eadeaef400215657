"""What a system's space is like without any conversation."""

from __future__ import annotations

import numpy as np

from talkwalk.eval.clusters import spherical_kmeans
from talkwalk.eval.interpretability import category_table, embedding_space_coherence
from talkwalk.eval.system import System
from talkwalk.eval.world import Measured, World

PLACE = 4  # of this part's draws


def measure_space(system: System, world: World) -> Measured:
    """Coherence of the regions, beside the same with items dealt at random; nothing for a system without a space."""
    if system.vectors is None:
        return Measured({})
    rng, categories = world.rng(PLACE), category_table(world.catalog)
    labels = spherical_kmeans(system.vectors, world.amounts.clusters, rng).labels
    coherent = embedding_space_coherence(labels, categories, rng)
    named = np.array(world.catalog.ids)[categories.any(axis=1)]
    return Measured(
        {
            "coherence": dict(zip(named, coherent.matched.tolist(), strict=True)),
            "coherence/shuffled": dict(zip(named, coherent.shuffled.tolist(), strict=True)),
        }
    )
