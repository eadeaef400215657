"""Another new domain, a shop, in the schema that ships for shops: only the table differs from the music example.

python -m demo.example_ecommerce [--out FOLDER]
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd

from demo.example_music import DESCRIPTIONS, present
from talkwalk import Catalog, Schema
from talkwalk.contrastive.descriptions import read_mapping
from talkwalk.datasets.resolve import SCHEMAS

CATEGORIES = {  # usual price in dollars, things
    "kitchen": (35, ("chef's knife", "frying pan", "coffee grinder", "mixing bowl")),
    "electronics": (120, ("headphones", "loudspeaker", "charger", "webcam")),
    "clothing": (45, ("jacket", "shirt", "jumper", "scarf")),
    "toys": (22, ("puzzle", "building set", "teddy bear", "toy train")),
    "garden": (30, ("watering can", "pruning shears", "plant pot", "garden hose")),
    "sports": (40, ("yoga mat", "tennis racket", "dumbbell", "running belt")),
    "books": (15, ("novel", "cookbook", "atlas", "biography")),
    "beauty": (25, ("face cream", "perfume", "lipstick", "shampoo")),
}
MAKERS = ("Arden", "Bellwood", "Corvo", "Dunmore", "Elmtree", "Fenwick", "Garnet", "Hallow", "Ivory Lane", "Juniper")
QUERIES = (
    "a cheap present for a five-year-old",
    "premium headphones or speakers, top rated, money is no object",
    "something affordable for the garden that buyers are happy with",
)


def schema() -> Schema:
    """The shop schema with every described category: the description file also covers departments of large shops."""
    shop = Schema.load(SCHEMAS / "shop.yaml")
    described = read_mapping(DESCRIPTIONS / "items" / "example_ecommerce.yaml")["attributes"]["category"]
    category = dataclasses.replace(shop.items["category"], values=tuple(described))
    return dataclasses.replace(shop, items={**shop.items, "category": category})


def catalog(count: int = 300, seed: int = 0) -> Catalog:
    """Made-up products with plausible values."""
    rng = np.random.default_rng(seed)
    categories = [str(c) for c in rng.choice(list(CATEGORIES), count)]
    usual = np.array([CATEGORIES[c][0] for c in categories])
    makers = [str(maker) for maker in rng.choice(MAKERS, count)]
    items = pd.DataFrame(
        {
            "title": [f"{m} {rng.choice(CATEGORIES[c][1])}" for m, c in zip(makers, categories, strict=True)],
            "brand": makers,
            "category": [[c] for c in categories],
            "price": np.clip(usual * np.exp(rng.normal(0, 0.9, count)), 2, 950).round() - 0.01,
            "rating": np.clip(rng.normal(3.8, 0.8, count), 1, 5).round(1),
            "popularity": np.log1p(rng.lognormal(4, 2, count).round()).round(2),
        },
        index=[f"product-{i + 1}" for i in range(count)],
    )
    return Catalog(schema().fit(items), items)


if __name__ == "__main__":
    present("products", catalog(), QUERIES)
