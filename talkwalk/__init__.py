"""TalkWalk: recommendations that a person steers with plain English, in real time."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from talkwalk.engine.prompt_builder import ContextLimits
    from talkwalk.engine.recommender import Recommender
    from talkwalk.engine.senses import Sense
    from talkwalk.engine.session import Session
    from talkwalk.engine.turn import Item, Turn
    from talkwalk.index.catalog import Catalog
    from talkwalk.schema import Schema

__version__ = "0.1.0"
__all__ = ["Catalog", "ContextLimits", "Item", "Recommender", "Schema", "Sense", "Session", "Turn"]

_HOMES = {
    "Catalog": "talkwalk.index.catalog",
    "ContextLimits": "talkwalk.engine.prompt_builder",
    "Item": "talkwalk.engine.turn",
    "Recommender": "talkwalk.engine.recommender",
    "Schema": "talkwalk.schema",
    "Sense": "talkwalk.engine.senses",
    "Session": "talkwalk.engine.session",
    "Turn": "talkwalk.engine.turn",
}


def __getattr__(name: str) -> Any:
    """Import public names at their first use, so that `import talkwalk` loads neither torch nor faiss."""
    if name not in _HOMES:
        raise AttributeError(f"module 'talkwalk' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
