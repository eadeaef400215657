"""MovieLens-1M: `movies.dat`, `users.dat` and `ratings.dat`, fields between "::", latin-1."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from talkwalk.datasets.interactions import literal, workbench
from talkwalk.datasets.movielens import SCHEMA, frequencies, known_genres, rated, split_title, straight
from talkwalk.index.catalog import Catalog
from talkwalk.schema import Schema

# Code, an age inside the published range (its middle; the first and the last have one open end), our range
AGES = {
    "1": (15.0, "under-18"), "18": (21.0, "18-24"), "25": (29.5, "25-34"), "35": (39.5, "35-49"),
    "45": (47.0, "35-49"), "50": (52.5, "50+"), "56": (60.0, "50+"),
}  # fmt: skip
# The code is the place in this tuple; beside each the publisher's name where ours is another or wider
OCCUPATIONS = (
    "other",  # or not specified
    "educator",  # academic/educator
    "artist",
    "administrator",  # clerical/admin
    "student",  # college/grad student
    "other",  # customer service
    "healthcare",  # doctor/health care
    "executive",  # executive/managerial
    "other",  # farmer
    "homemaker",
    "student",  # K-12 student
    "lawyer",
    "programmer",
    "retired",
    "salesman",  # sales/marketing
    "scientist",
    "other",  # self-employed
    "engineer",  # technician/engineer
    "other",  # tradesman/craftsman
    "none",  # unemployed
    "writer",
)


def movielens_1m(folder: str | Path, out: str | Path) -> None:
    """Write a catalogue folder with the attributes of MovieLens-100K, treated alike.

    Args:
        folder: Where the three files are, or one of the files.
        out: Folder of the catalogue.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If a line has not the publisher's fields; names the file.
    """
    folder = Path(folder).parent if Path(folder).is_file() else Path(folder)
    schema = Schema.load(SCHEMA)
    movies = _movies(folder / "movies.dat", schema)
    profiles = movielens_1m_users(folder / "users.dat")
    ratings = _found(folder / "ratings.dat")
    columns = "{'user_id': 'VARCHAR', 'item_id': 'VARCHAR', 'rating': 'DOUBLE', 'timestamp': 'DOUBLE'}"
    with workbench(out) as bench:
        source = f"read_csv({literal(ratings)}, delim = '::', header = false, quote = '', columns = {columns})"
        bench.split(f"SELECT * FROM {source}", known=movies.index)
        items = rated(movies, bench.item_ratings())
        users = profiles.assign(viewing_frequency=frequencies(bench.given().reindex(profiles.index).fillna(0)))
        bench.save(Catalog(schema.fit(items, users), items, users))


def movielens_1m_users(path: str | Path) -> pd.DataFrame:
    """Profiles of `users.dat`: age, age_range, gender and occupation by user id.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a line has an unknown code; names file and line.
    """
    path = Path(path)
    rows = {}
    for number, (user, gender, age, occupation, _) in enumerate(_lines(path, 5), start=1):
        if age not in AGES:
            raise ValueError(f"{path} line {number}: age must be one of the codes {list(AGES)}, got {age!r}")
        if not occupation.isdecimal() or int(occupation) >= len(OCCUPATIONS):
            raise ValueError(
                f"{path} line {number}: occupation must be a code from 0 to {len(OCCUPATIONS) - 1}, got {occupation!r}"
            )
        rows[user] = (*AGES[age], gender, OCCUPATIONS[int(occupation)])
    columns = ["age", "age_range", "gender", "occupation"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def _movies(path: Path, schema: Schema) -> pd.DataFrame:
    rows = {}
    for movie, text, genres in _lines(path, 3):
        title, year = split_title(text)
        rows[movie] = (straight(title), known_genres(genres.split("|"), schema), year)
    return pd.DataFrame.from_dict(rows, orient="index", columns=["title", "genre", "year"])


def _lines(path: Path, fields: int) -> list[list[str]]:
    lines = [line.split("::") for line in _found(path).read_text(encoding="latin-1").splitlines() if line]
    for number, line in enumerate(lines, start=1):
        if len(line) != fields:
            raise ValueError(f'{path} line {number} must have {fields} fields between "::", got {len(line)}')
    return lines


def _found(path: Path) -> Path:
    if not path.is_file():
        raise FileNotFoundError(f"MovieLens-1M needs {path.name} in {path.parent}")
    return path
