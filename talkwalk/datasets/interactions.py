"""Interactions too many for memory: DuckDB splits, counts and writes them, and spills to disk what does not fit."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa

from talkwalk.files import atomic_folder
from talkwalk.index.catalog import Catalog
from talkwalk.splits import Split

MEMORY = "512MB"  # DuckDB's share; the catalogue's items are in memory beside it
THREADS = 4  # every thread that parses JSON holds buffers outside that share
USABLE = (
    "user_id <> '' AND item_id <> '' AND rating IS NOT NULL AND \"timestamp\" IS NOT NULL"  # NULL <> '' is not true
)

log = logging.getLogger(__name__)


def literal(*paths: str | Path) -> str:
    """Paths as an SQL list."""
    return "[" + ", ".join("'" + str(path).replace("'", "''") + "'" for path in paths) + "]"


class Workbench:
    """A database, and a folder beside the future catalogue for whatever is larger than memory.

    Attributes:
        db: The database.
        folder: Temporary folder on the disk of the catalogue.
        out: Folder of the future catalogue.
    """

    def __init__(self, db: duckdb.DuckDBPyConnection, folder: Path, out: Path) -> None:
        self.db, self.folder, self.out = db, folder, out

    @property
    def interactions(self) -> Path:
        """The parquet file that `split` writes."""
        return self.folder / "interactions.parquet"

    def split(self, source: str, known: Iterable[str] | None = None) -> None:
        """Write `source` in the order of user and time, with the column `split` of `movielens.split_by_time`.

        Args:
            source: SQL query with the columns user_id, item_id (strings), rating and timestamp (numbers).
            known: Ids of the items whose interactions are kept; None keeps all.
        """
        raw, db = self.folder / "raw.parquet", self.db
        db.execute(
            f'COPY (SELECT user_id, item_id, rating::DOUBLE AS rating, "timestamp"::DOUBLE AS "timestamp" '
            f"FROM ({source})) TO {literal(raw)[1:-1]} (FORMAT parquet)"
        )
        kept = f"SELECT * FROM read_parquet({literal(raw)}) WHERE {USABLE}"
        if known is not None:
            db.register("known", pa.table({"id": pa.array(known, pa.string())}))
            kept += " AND item_id IN (SELECT id FROM known)"
        from_end = 'row_number() OVER (PARTITION BY user_id ORDER BY "timestamp" DESC, item_id DESC)'
        names = f"WHEN 1 THEN '{Split.TEST.value}' WHEN 2 THEN '{Split.VALID.value}' ELSE '{Split.TRAIN.value}'"
        db.execute(
            f"COPY (SELECT *, CASE {from_end} {names} END AS split FROM ({kept}) "
            f'ORDER BY user_id, "timestamp", item_id) TO {literal(self.interactions)[1:-1]} (FORMAT parquet)'
        )
        self._report(raw)
        raw.unlink()

    def _report(self, raw: Path) -> None:
        counts = f"SELECT count(*), count(*) FILTER (WHERE {USABLE}) FROM read_parquet({literal(raw)})"
        (total, usable), written = self.row(counts), self.row(f"SELECT count(*) FROM ({self._written()})")[0]
        if written < total:
            log.warning(
                "%d of %d interactions are left out: %d lack user, item, rating or time, %d are of unknown items",
                *(total - written, total, total - usable, usable - written),
            )

    def _written(self) -> str:
        return f"SELECT * FROM read_parquet({literal(self.interactions)})"

    def row(self, query: str) -> tuple[int, ...]:
        """The one row of a query that counts."""
        found = self.db.execute(query).fetchone()
        assert found is not None  # an aggregate has a row
        return found

    def item_ratings(self) -> pd.DataFrame:
        """Columns count and sum of the training part's ratings, by item id; every item with an interaction is there."""
        train = f"FILTER (WHERE split = '{Split.TRAIN.value}')"
        columns = f'count(*) {train} AS "count", coalesce(sum(rating) {train}, 0) AS "sum"'
        query = f"SELECT item_id, {columns} FROM ({self._written()}) GROUP BY item_id ORDER BY item_id"
        return self.db.execute(query).df().set_index("item_id")

    def given(self) -> pd.Series:
        """Interactions of the training part by user id; every user is there."""
        count = f"count(*) FILTER (WHERE split = '{Split.TRAIN.value}') AS given"
        query = f"SELECT user_id, {count} FROM ({self._written()}) GROUP BY user_id ORDER BY user_id"
        return self.db.execute(query).df().set_index("user_id")["given"]

    def save(self, catalog: Catalog) -> None:
        """Write the catalogue folder, with the interactions if there are any; it appears whole or not at all."""
        with atomic_folder(self.out) as temporary:
            catalog.save(temporary)
            if self.interactions.is_file():
                shutil.move(self.interactions, temporary / self.interactions.name)


@contextmanager
def workbench(out: str | Path) -> Iterator[Workbench]:
    """A workbench for the catalogue folder `out`; its folder is removed at the end.

    Raises:
        ValueError: If the database cannot read what it is given; names the file.
    """
    out = Path(out).absolute()
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as name:
        folder = Path(name)
        settings: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": MEMORY,
            "threads": min(THREADS, os.cpu_count() or 1),
            "temp_directory": str(folder / "spill"),
            "preserve_insertion_order": False,
        }
        with duckdb.connect(config=settings) as db:
            try:
                yield Workbench(db, folder, out)
            except duckdb.Error as error:
                raise ValueError(f"{out} cannot be made: {error}") from error
