"""A new domain, music: a schema, a table, a description file, and a minute of training. No other code.

python -m demo.example_music [--out FOLDER]
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from talkwalk import Catalog
from talkwalk.config import ContrastiveConfig, PairsConfig
from talkwalk.contrastive.space import Space
from talkwalk.contrastive.train_contrastive import train
from talkwalk.datasets.synthetic_music import synthetic_music

DESCRIPTIONS = Path(__file__).parent.parent / "data" / "descriptions"
QUERIES = (
    "calm neo soul with an acoustic guitar, to fall asleep to",
    "happy reggaeton with a fast beat, made for dancing",
    "loud rock from the seventies, not a famous song",
)


def catalog(count: int = 600, seed: int = 0) -> Catalog:
    """Made-up tracks, from hand-written tables of what styles usually sound like."""
    return synthetic_music(count, listeners=0, seed=seed)


def learn_space(tracks: Catalog, out: Path) -> Space:
    """Phase 1 in small: writes the catalogue folder, trains one seed on it, and opens the finished space."""
    tracks.save(out / "catalog")
    config = ContrastiveConfig(
        catalog=str(out / "catalog"),
        descriptions=str(DESCRIPTIONS),
        out=str(out / "run"),
        dim=64,
        hidden=[256, 256],
        text_hidden=256,
        pairs=PairsConfig(items=4000, users=0, both=0, composites=0, affinities=0),
        test_pairs=100,
        epochs=5,
        batch_size=128,
        lr=1e-3,
        smoothing=2.0,
        device="cpu",
    )
    figures = train(config)
    for wordings in ("trained", "unseen"):
        share = figures[f"text_to_metadata_r1_{wordings}_wordings"]["value"]
        print(
            f"Held-out items in {wordings} wordings: {share:.0%} of the texts find their own item's attributes first."
        )
    return Space.load(out / "run" / "space")


def answer(space: Space, items: Catalog, query: str, k: int = 3) -> pd.DataFrame:
    """The nearest items to the words."""
    scores = (space.encode_items(items.items) @ space.encode_text([query]).T)[:, 0]
    best = np.argsort(-scores)[:k]
    return items.items.iloc[best].assign(score=scores[best].round(2))


def present(noun: str, items: Catalog, queries: tuple[str, ...]) -> None:
    """Train, ask and print."""
    parser = argparse.ArgumentParser(description=f"A space for {noun}, trained on the spot.")
    parser.add_argument("--out", type=Path, help="folder to keep the catalogue and the space in")
    out = parser.parse_args().out
    logging.basicConfig(level=logging.WARNING)
    with tempfile.TemporaryDirectory() as temporary:
        print(f"SYNTHETIC catalogue: {len(items)} made-up {noun}. Training a small space on them ...")
        space = learn_space(items, out or Path(temporary))
        for query in queries:
            print(f"\n“{query}”\n{answer(space, items, query).to_string(index=False)}")
    if out:
        print(f"\nThe catalogue is in {out / 'catalog'}, the space in {out / 'run' / 'space'}.")


if __name__ == "__main__":
    present("tracks", catalog(), QUERIES)
