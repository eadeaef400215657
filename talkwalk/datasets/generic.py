"""Any table with a schema: CSV, JSON lines or parquet, optionally gzipped."""

from __future__ import annotations

import gzip
import json
import logging
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from talkwalk.index.catalog import Catalog
from talkwalk.schema import Attribute, Kind, Schema, is_missing, unknown

NOTHING = frozenset({"", "na", "n/a", "nan", "null", "none"})  # how tables write a missing number or flag
FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
SEPARATORS = re.compile(r"[|;]")

log = logging.getLogger(__name__)


def generic(path: str | Path, schema: str | Path, id_column: str = "id") -> Catalog:
    """Turn a table of items into a catalogue.

    Args:
        path: A .csv, .tsv, .jsonl or .parquet file, optionally gzipped.
        schema: The schema.yaml that says what the columns mean; columns that it does not name are ignored.
        id_column: Column of the item ids.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If a column is missing or a cell is not of its attribute's kind; names column and item.
    """
    loaded, table = Schema.load(schema), read_table(path)
    check_columns(table, loaded.items, where=str(path), of=f" of {schema}")
    items = typed_rows(table, loaded.items, id_column, where=str(path))
    return Catalog(loaded.fit(items), items)


def check_columns(table: pd.DataFrame, names: Iterable[str], *, where: str, of: str = "") -> None:
    """Raise `ValueError` for the columns among `names` that the table lacks."""
    missing = [name for name in names if name not in table.columns]
    if missing:
        raise ValueError(f"{where} lacks the columns {missing}{of}, it has {[str(c) for c in table.columns]}")


def find_table(path: str | Path, name: str) -> Path:
    """`path` itself if it is no folder, otherwise its file `name`, or that file gzipped.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    path = Path(path)
    places = [path / name, path / f"{name}.gz"] if path.is_dir() else [path]
    for place in places:
        if place.is_file():
            return place
    raise FileNotFoundError(f"no {name}, gzipped or not, at {path}")


def read_table(path: str | Path) -> pd.DataFrame:
    """A table with its cells as they stand in the file: strings in CSV, JSON values in JSON lines."""
    path = Path(path)
    suffixes = [s.lower() for s in path.suffixes]
    packed = suffixes[-1:] == [".gz"]
    kind = "".join((suffixes[:-1] if packed else suffixes)[-1:])
    if kind not in READERS:
        raise ValueError(f"a table must be a file of type {sorted(READERS)}, optionally .gz, got {path.name!r}")
    if not path.is_file():
        raise FileNotFoundError(f"no table at {path}")
    content = path.read_bytes()
    try:
        table = READERS[kind](BytesIO(gzip.decompress(content) if packed else content))
    except (OSError, EOFError, ValueError) as error:  # pandas' and pyarrow's parser errors are ValueErrors
        raise ValueError(f"{path} cannot be read as {kind}: {error}") from error
    if table.empty:
        raise ValueError(f"{path} has no rows")
    return table


def _csv(stream: BytesIO, separator: str = ",") -> pd.DataFrame:
    # As strings, so that an id "007" and a category "None" stay what they are
    return pd.read_csv(stream, sep=separator, dtype=str, keep_default_na=False, na_values=[""])


def _jsonl(stream: BytesIO) -> pd.DataFrame:
    rows = []
    for number, line in enumerate(stream.read().decode().splitlines(), start=1):
        if line.strip():
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError as error:
                raise ValueError(f"line {number}: {error}") from error
            if not isinstance(rows[-1], dict):
                raise ValueError(f"line {number} must be an object, got {line.strip()[:60]!r}")
    return pd.DataFrame(rows, dtype=object)  # object keeps whole numbers whole beside missing ones


def _parquet(stream: BytesIO) -> pd.DataFrame:
    table = pd.read_parquet(stream)
    return table if table.index.name is None else table.reset_index()


READERS: dict[str, Callable[[BytesIO], pd.DataFrame]] = {
    ".csv": _csv,
    ".tsv": lambda stream: _csv(stream, "\t"),
    ".jsonl": _jsonl,
    ".parquet": _parquet,
}


def typed_rows(table: pd.DataFrame, attributes: Mapping[str, Attribute], id_column: str, *, where: str) -> pd.DataFrame:
    """The table's columns that are attributes, each cell of its attribute's kind, indexed by id.

    Args:
        table: From `read_table`.
        attributes: The wanted columns; those that the table lacks are left out.
        id_column: Column of the ids.
        where: Names the table in errors.

    Raises:
        ValueError: On a missing id column, a missing or repeated id, no known column, or a cell of the wrong kind.
    """
    columns = [str(name) for name in table.columns]
    table = table.set_axis(columns, axis=1)
    if id_column not in columns:
        raise ValueError(f"{where}: {unknown('id column', id_column, columns)}")
    known = [name for name in attributes if name in columns]
    if not known:
        raise ValueError(f"{where} has none of the columns {list(attributes)}, it has {columns}")
    ignored = [name for name in columns if name not in attributes and name != id_column]
    if ignored:
        log.warning("%s: columns that the schema does not name are ignored: %s", where, ", ".join(ignored))
    ids = _ids(table[id_column].tolist(), f"{where}: column {id_column!r}")
    cells = {name: _column(attributes[name], table[name].tolist(), ids, where) for name in known}
    return pd.DataFrame(cells, index=pd.Index(ids, dtype=object, name="id"))


def numbers(table: pd.DataFrame, column: str, id_column: str, *, where: str) -> np.ndarray:
    """The numbers of one column, NaN where there is none, (rows,).

    Raises:
        ValueError: For a cell that is no number; names it.
    """
    ids = [str(i) for i in table[id_column]]
    return _column(Attribute(column, Kind.ORDERED), table[column].tolist(), ids, where).to_numpy(dtype=np.float64)


def _ids(values: Sequence[Any], where: str) -> list[str]:
    ids: dict[str, int] = {}
    for number, value in enumerate(values, start=1):
        name = "" if is_missing(value) else _name(value)
        if not name:
            raise ValueError(f"{where} must hold an id in every row, row {number} has none")
        if name in ids:
            raise ValueError(f"{where} must not repeat an id, rows {ids[name]} and {number} have {name!r}")
        ids[name] = number
    return list(ids)


def _column(attribute: Attribute, values: Sequence[Any], ids: Sequence[str], where: str) -> pd.Series:
    convert, cells = CONVERTERS[attribute.kind], []
    for row, value in zip(ids, values, strict=True):
        try:
            cells.append(None if is_missing(value) else convert(value))
        except ValueError as error:
            raise ValueError(f"{where}: column {attribute.name!r} of {row!r} {error}, got {value!r}") from error
    if attribute.values:
        _warn_of_unknown(attribute, cells, where)
    kind = "float64" if attribute.kind is Kind.ORDERED else object
    return pd.Series(cells, index=list(ids), dtype=kind)


def _warn_of_unknown(attribute: Attribute, cells: Sequence[Any], where: str) -> None:
    names = {n for cell in cells if cell is not None for n in (cell if isinstance(cell, list) else [cell])}
    strange = sorted(names - set(attribute.values))
    if strange:
        shown = ", ".join(strange[:5]) + (", ..." if len(strange) > 5 else "")
        log.warning("%s: %d values of %r are not in the schema: %s", where, len(strange), attribute.name, shown)


def _name(value: Any) -> str:
    """Text of a cell; 2.0 is "2", because a column of whole numbers with gaps is read as floats."""
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()


def _number(value: Any) -> float | None:
    if isinstance(value, str) and value.strip().lower() in NOTHING:
        return None
    try:
        number = math.nan if isinstance(value, (bool, np.bool_)) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError("must be a number")
    return number


def _flag(value: Any) -> bool | None:
    text = _name(value).lower()
    if text in NOTHING:
        return None
    if text not in FLAGS:
        raise ValueError("must be true or false")
    return FLAGS[text]


def _category(value: Any) -> str | None:
    if isinstance(value, (list, tuple, dict, np.ndarray)):
        raise ValueError("must be one name (several need the kind multi)")
    return _name(value) or None


def _multi(value: Any) -> list[str]:
    if isinstance(value, dict):
        raise ValueError("must be a list of names")
    if isinstance(value, str):
        if value.strip().startswith("["):
            raise ValueError('must be names between "|" or ";" (a printed list cannot be read back safely)')
        value = SEPARATORS.split(value)
    names = [
        _name(v) for v in (value if isinstance(value, (list, tuple, np.ndarray)) else [value]) if not is_missing(v)
    ]
    return list(dict.fromkeys(name for name in names if name))


CONVERTERS: dict[Kind, Callable[[Any], Any]] = {
    Kind.ORDERED: _number,
    Kind.CATEGORY: _category,
    Kind.MULTI: _multi,
    Kind.FLAG: _flag,
    Kind.TEXT: _category,
}
