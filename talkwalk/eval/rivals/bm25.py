"""Words against words: BM25 over the items' texts."""

from __future__ import annotations

import numpy as np

from talkwalk.eval.system import Dialogue, Scored
from talkwalk.index.catalog import Catalog
from talkwalk.llm.prompt_text import Verbosity, item_text


def item_texts(catalog: Catalog) -> list[str]:
    """Everything that a catalogue says of each item, such as "Clueless; Comedy; 1995; high popularity"."""
    return [item_text(row, catalog.schema, Verbosity.FULL) for row in catalog.rows(catalog.ids)]


class BM25(Scored):
    """Okapi BM25 (Robertson et al. 1994) as `bm25s` has it, of everything that was said against the item texts.

    The whole conversation is the query: with the last utterance alone most queries share no word with any item.
    """

    name = "bm25"

    def fit(self, catalog: Catalog) -> None:
        try:
            import bm25s
        except ImportError as error:
            raise ImportError("the rival bm25 needs `pip install 'talkwalk[bench]'`") from error
        super().fit(catalog)
        self._tokenize = lambda texts: bm25s.tokenize(texts, stopwords="en", return_ids=False, show_progress=False)
        self._index = bm25s.BM25()
        self._index.index(self._tokenize(item_texts(catalog)), show_progress=False)

    def scores(self, dialogue: Dialogue) -> np.ndarray:
        words = self._tokenize([" ".join(dialogue.words)])[0]
        return np.asarray(self._index.get_scores(words)) if words else np.zeros(len(self.ids))
