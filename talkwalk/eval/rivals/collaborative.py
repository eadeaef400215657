"""People who had this also had that: matrix factorisation and item-to-item neighbours. Deaf to words."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
import scipy.sparse as sparse

from talkwalk.eval.rivals.baselines import popularity, training_interactions
from talkwalk.eval.system import Dialogue, Scored, Unsuited
from talkwalk.index.catalog import Catalog

FACTORS, ROUNDS, REGULARISATION = 64, 15, 0.05
FEWEST = 2  # users without whom there is nothing to learn


def interaction_matrix(catalog: Catalog) -> Any:
    """Who had what in the training part: ones, sparse float32 (users, items).

    Raises:
        Unsuited: If there are hardly any interactions.
    """
    train = training_interactions(catalog)
    users = sorted(set(train["user_id"]))
    if len(users) < FEWEST:
        raise Unsuited("the catalogue has no interactions to learn from")
    user, item = {u: i for i, u in enumerate(users)}, {i: n for n, i in enumerate(catalog.ids)}
    rows, columns = [user[u] for u in train["user_id"]], [item[i] for i in train["item_id"]]
    ones = np.ones(len(train), dtype=np.float32)
    matrix = sparse.csr_matrix((ones, (rows, columns)), shape=(len(users), len(item)))
    matrix.data[:] = 1.0  # the same twice is once
    return matrix


class _Listens(Scored):
    """Scores from the items that speak for a person; popularity for somebody of whom nothing is known."""

    def fit(self, catalog: Catalog) -> None:
        super().fit(catalog)
        self.learn(interaction_matrix(catalog))
        self._popular = popularity(catalog)
        self._row = {item_id: i for i, item_id in enumerate(self.ids)}

    @abstractmethod
    def learn(self, matrix: Any) -> None:
        """Learn from who had what, sparse (users, items)."""

    @abstractmethod
    def liked(self, rows: np.ndarray) -> np.ndarray:
        """Scores for somebody who had the items `rows`, (items,)."""

    def scores(self, dialogue: Dialogue) -> np.ndarray:
        rows = np.array([self._row[i] for i in dialogue.fond if i in self._row], dtype=int)
        return self.liked(rows) if len(rows) else self._popular


class Collaborative(_Listens):
    """Implicit alternating least squares (Hu, Koren and Volinsky 2008) as `implicit` has it.

    A person is folded in from the items that speak for them.

    Args:
        seed: Of the factors' start.
    """

    name = "collaborative"

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def learn(self, matrix: Any) -> None:
        try:
            from implicit.cpu.als import AlternatingLeastSquares
            from threadpoolctl import threadpool_limits
        except ImportError as error:
            raise ImportError("the rival collaborative needs `pip install 'talkwalk[bench]'`") from error
        with threadpool_limits(1, "blas"):  # implicit warns otherwise, and threads change the last digits
            self._model = AlternatingLeastSquares(
                factors=min(FACTORS, min(matrix.shape)), iterations=ROUNDS, regularization=REGULARISATION,
                random_state=self.seed, num_threads=1,
            )  # fmt: skip
            self._model.fit(matrix, show_progress=False)

    def liked(self, rows: np.ndarray) -> np.ndarray:
        one = sparse.csr_matrix((np.ones(len(rows), np.float32), ([0] * len(rows), rows)), shape=(1, len(self.ids)))
        person = np.asarray(self._model.recalculate_user(0, one)).reshape(-1)
        return np.asarray(self._model.item_factors @ person)


class CoMention(_Listens):
    """Items that were had, or mentioned in the same dialogue, together (item-kNN, Sarwar et al. 2001).

    Cosine of the items' columns, shrunk for rare pairs, summed over the items that speak for the person.
    """

    name = "co_mention"
    SHRINK = 5.0  # pairs seen fewer times than this count for less than half

    def learn(self, matrix: Any) -> None:
        pairs = sparse.coo_matrix(matrix.T @ matrix)
        counts = pairs.diagonal()
        apart = pairs.row != pairs.col
        row, column, together = pairs.row[apart], pairs.col[apart], pairs.data[apart]
        alike = together / np.sqrt(counts[row] * counts[column]) * together / (together + self.SHRINK)
        self._alike = sparse.csr_matrix((alike.astype(np.float32), (row, column)), shape=pairs.shape)

    def liked(self, rows: np.ndarray) -> np.ndarray:
        return np.asarray(self._alike[rows].sum(axis=0)).reshape(-1) + 1e-9 * self._popular
