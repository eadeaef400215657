"""Preparing catalogues and users, and judging generated wordings; no model, no network."""

from __future__ import annotations

import gzip
import importlib
import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml
from hydra import compose, initialize_config_dir

from talkwalk.config import CONFIG_DIR, CatalogConfig, GenerateConfig, UserProfilesConfig, register, to_object
from talkwalk.contrastive.descriptions import load_descriptions
from talkwalk.datasets.generic import generic, read_table
from talkwalk.index.catalog import Catalog
from talkwalk.schema import Schema

SCHEMA = {
    "domain": "songs",
    "title": "title",
    "items": {
        "title": {"kind": "text"},
        "genre": {"kind": "multi"},
        "mood": {"kind": "category", "values": ["happy", "sad"]},
        "year": {"kind": "ordered", "scale": "rank"},
        "live": {"kind": "flag"},
    },
    "users": {"age": {"kind": "ordered", "range": [5, 80]}, "job": {"kind": "category"}},
}
CSV = """\
sku,title,genre,mood,year,live,shelf
007,One,Rock|Pop,happy,1990,yes,a
008,Two,Jazz;Rock,sad,,no,b
009,,,,2000,NA,
"""


@pytest.fixture
def script(repository, monkeypatch):
    """Imports a script as Python does when it is run: with its own folder first."""
    monkeypatch.syspath_prepend(str(repository / "data" / "scripts"))
    return importlib.import_module


@pytest.fixture
def songs(tmp_path):
    (tmp_path / "schema.yaml").write_text(yaml.safe_dump(SCHEMA))
    (tmp_path / "songs.csv").write_text(CSV)
    return tmp_path


def movielens_folder(folder):
    """MovieLens-100K's three files, in the layout of RecBole, with two films and two people."""
    folder.mkdir()
    (folder / "ml-100k.item").write_text(
        "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
        "1\tToy Story\t1995\tAnimation Comedy\n2\tBirdcage, The\t1996\tunkonwn\n"
    )
    (folder / "ml-100k.user").write_text(
        "user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token\n"
        "1\t24\tM\ttechnician\t85711\n2\t53\tF\tother\t94043\n"
    )
    rows = [f"{user}\t{item}\t{3 + item - user}\t{time}" for user in (1, 2) for time, item in enumerate((1, 2, 1, 2))]
    (folder / "ml-100k.inter").write_text(
        "user_id:token\titem_id:token\trating:float\ttimestamp:float\n" + "\n".join(rows) + "\n"
    )
    return folder


def test_prepare_movielens(script, tmp_path):
    config = CatalogConfig(
        dataset="movielens-100k", path=str(movielens_folder(tmp_path / "raw")), out=str(tmp_path / "catalog")
    )
    script("prepare_catalog").prepare(config)
    catalog = Catalog.load(tmp_path / "catalog")
    assert catalog.row("2")["title"] == "The Birdcage"
    assert catalog.row("1")["genre"] == ["Animation", "Comedy"]
    assert "genre" not in catalog.row("2")
    assert catalog.user("2")["age_range"] == "50+"
    assert set(catalog.interactions["split"]) == {"train", "valid", "test"}


def movielens_1m_folder(folder):
    """MovieLens-1M's three files, with two films and two people."""
    folder.mkdir()
    (folder / "movies.dat").write_text("1::Toy Story (1995)::Animation|Comedy\n2::Birdcage, The (1996)::Comedy\n")
    (folder / "users.dat").write_text("1::M::25::12::85711\n2::F::50::0::94043\n")
    lines = [f"{user}::{item}::{3 + item - user}::{time}" for user in (1, 2) for time, item in enumerate((1, 2, 1))]
    (folder / "ratings.dat").write_text("\n".join(lines) + "\n")
    return folder


@pytest.mark.parametrize("given", [True, False], ids=["path", "download"])
def test_prepare_movielens_1m(script, tmp_path, monkeypatch, capsys, given):
    folder = movielens_1m_folder(tmp_path / "raw")
    module = script("prepare_catalog")
    monkeypatch.setattr(module, "download", lambda name: {"ml-1m": folder}[name])
    config = CatalogConfig(dataset="movielens-1m", path=str(folder) if given else "", out=str(tmp_path / "catalog"))
    module.prepare(config)
    assert module.contents(tmp_path / "catalog") == repr(Catalog.load(tmp_path / "catalog"))
    assert module.contents(tmp_path / "catalog") == "Catalog(movies: 2 items, 2 users, 6 interactions)"


@pytest.mark.parametrize(
    ("dataset", "archive"),
    [("movielens-latest", "ml-latest-small"), ("movielens-25m", "ml-25m"), ("movielens-32m", "ml-32m")],
)
def test_prepare_later_movielens(script, tmp_path, monkeypatch, dataset, archive):
    folder = tmp_path / "raw"
    folder.mkdir()
    (folder / "movies.csv").write_text("movieId,title,genres\n1,Toy Story (1995),Comedy\n")
    (folder / "ratings.csv").write_text("userId,movieId,rating,timestamp\n7,1,4.5,100\n")
    (folder / "tags.csv").write_text("userId,movieId,tag,timestamp\n7,1,toys,100\n8,1,toys,100\n8,1,cute,100\n")
    module = script("prepare_catalog")
    monkeypatch.setattr(module, "download", lambda name: {archive: folder}[name])
    module.prepare(CatalogConfig(dataset=dataset, out=str(tmp_path / "catalog"), tags=1))
    catalog = Catalog.load(tmp_path / "catalog")
    assert catalog.row("1")["tag"] == ["toys"] and catalog.user("7") == {"viewing_frequency": "casual"}


@pytest.mark.parametrize("dataset", ["spotify", "steam", "amazon", "generic"])
def test_what_cannot_be_downloaded_needs_a_path(script, tmp_path, dataset):
    with pytest.raises(ValueError, match=f"dataset={dataset} needs path=FILE"):
        script("prepare_catalog").prepare(CatalogConfig(dataset=dataset, out=str(tmp_path / "new")))


@pytest.mark.parametrize("name", ["spotify", "steam"])
def test_prepare_one_table(script, tmp_path, monkeypatch, name):
    module, asked = script("prepare_catalog"), []
    made = generic_catalog()
    monkeypatch.setattr(module, name, lambda path: asked.append(path) or made)
    module.prepare(CatalogConfig(dataset=name, path="table.csv", out=str(tmp_path / "catalog")))
    assert asked == ["table.csv"] and Catalog.load(tmp_path / "catalog").ids == made.ids


def generic_catalog():
    schema = Schema.from_dict({"domain": "things", "items": {"year": {"kind": "ordered"}}})
    items = pd.DataFrame({"year": [1990.0, 2000.0]}, index=["a", "b"])
    return Catalog(schema.fit(items), items)


def test_prepare_amazon_as_a_command(tmp_path, repository):
    product = {"parent_asin": "B1", "title": "Comb", "average_rating": 4.0, "rating_number": 9, "categories": ["Hair"]}
    review = {"parent_asin": "B1", "user_id": "AE1", "rating": 5.0, "timestamp": 1_600_000_000_000}
    (tmp_path / "meta.jsonl").write_text(json.dumps(product) + "\n")
    (tmp_path / "reviews.jsonl").write_text(json.dumps(review) + "\n")
    command = [sys.executable, "data/scripts/prepare_catalog.py", "dataset=amazon", f"path={tmp_path}/meta.jsonl"]
    command += [f"reviews={tmp_path}/reviews.jsonl", "categories=5", f"out={tmp_path}/catalog"]
    done = subprocess.run(command, cwd=repository, env={"PYTHONPATH": "."}, capture_output=True, text=True, check=True)
    expected = f"Catalog(shop: 1 items, 0 users, 1 interactions) is in {tmp_path}/catalog"
    assert done.stdout.splitlines() == [expected]


def test_users_of_movielens_1m(script, tmp_path):
    folder, out = movielens_1m_folder(tmp_path / "raw"), tmp_path / "catalog"
    script("prepare_catalog").prepare(CatalogConfig(dataset="movielens-1m", path=str(folder), out=str(out)))
    before = Catalog.load(out)
    (folder / "users.dat").write_text("2::M::18::4::94043\n3::F::56::20::1\n")
    config = UserProfilesConfig(dataset="movielens-1m", catalog=str(out), path=str(folder / "users.dat"), out=str(out))
    script("prepare_user_profiles").prepare(config)
    catalog = Catalog.load(out)
    assert catalog.user("1") == before.user("1")
    assert catalog.user("2") == {
        "age": 21, "age_range": "18-24", "gender": "M", "occupation": "student", "viewing_frequency": "casual",
    }  # fmt: skip
    assert catalog.user("3")["occupation"] == "writer" and len(catalog.interactions) == 6
    config.dataset = "movielens-2m"
    with pytest.raises(ValueError, match="unknown dataset 'movielens-2m'; did you mean 'movielens-1m'"):
        script("prepare_user_profiles").prepare(config)


def test_prepare_generic_as_a_command(songs, repository):
    command = [sys.executable, "data/scripts/prepare_catalog.py", "dataset=generic", f"path={songs}/songs.csv"]
    command += [f"schema={songs}/schema.yaml", "id=sku", f"out={songs}/catalog"]
    done = subprocess.run(command, cwd=repository, env={"PYTHONPATH": "."}, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert lines[0].endswith("columns that the schema does not name are ignored: shelf")
    assert lines[1:] == [f"Catalog(songs: 3 items, 0 users, 0 interactions) is in {songs}/catalog"]
    catalog = Catalog.load(songs / "catalog")
    assert catalog.row("007") == {
        "title": "One",
        "genre": ["Rock", "Pop"],
        "mood": "happy",
        "year": 1990.0,
        "live": True,
    }
    assert catalog.row("008") == {"title": "Two", "genre": ["Jazz", "Rock"], "mood": "sad", "live": False}
    assert catalog.row("009") == {"year": 2000.0}
    assert catalog.schema.items["genre"].values == ("Jazz", "Pop", "Rock")


def test_every_file_type_makes_the_same_catalogue(songs):
    expected = generic(songs / "songs.csv", songs / "schema.yaml", "sku")
    rows = [
        {"sku": "007", "title": "One", "genre": ["Rock", "Pop"], "mood": "happy", "year": 1990, "live": True},
        {"sku": "008", "title": "Two", "genre": ["Jazz", "Rock"], "mood": "sad", "live": False},
        {"sku": "009", "title": None, "genre": [], "year": 2000},
    ]
    with gzip.open(songs / "songs.jsonl.gz", "wt") as file:
        file.write("\n".join(json.dumps(row) for row in rows))
    pd.DataFrame(rows).to_parquet(songs / "songs.parquet")
    with gzip.open(songs / "songs.csv.gz", "wt") as file:
        file.write(CSV)
    for name in ("songs.jsonl.gz", "songs.parquet", "songs.csv.gz"):
        made = generic(songs / name, songs / "schema.yaml", "sku")
        assert made.rows(made.ids) == expected.rows(expected.ids), name
        assert made.schema.fingerprint() == expected.schema.fingerprint(), name


def test_ids_stay_what_they_are(songs):
    rows = [{"sku": 1, "title": "1", "genre": [], "mood": None, "year": 1, "live": None}]
    (songs / "ints.jsonl").write_text(json.dumps(rows[0]))
    assert generic(songs / "ints.jsonl", songs / "schema.yaml", "sku").ids == ["1"]
    pd.DataFrame(rows).astype({"sku": float}).to_parquet(songs / "floats.parquet")
    assert generic(songs / "floats.parquet", songs / "schema.yaml", "sku").ids == ["1"]


def test_values_that_the_schema_does_not_list_are_told(songs, caplog):
    (songs / "songs.csv").write_text(CSV.replace("sad", "angry"))
    catalog = generic(songs / "songs.csv", songs / "schema.yaml", "sku")
    assert "1 values of 'mood' are not in the schema: angry" in caplog.text
    assert catalog.schema.items["mood"].values == ("happy", "sad")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("1990", "soon", "column 'year' of '007' must be a number, got 'soon'"),
        ("1990", "inf", "must be a number"),
        ("yes", "perhaps", "column 'live' of '007' must be true or false"),
        ("Rock|Pop", "\"['Rock', 'Pop']\"", "must be names between"),
        ("008", "007", "rows 1 and 2 have '007'"),
        ("008", "", "row 2 has none"),
        ("sku,", "id,", "unknown id column 'sku'"),
        (",year,", ",jahr,", r"lacks the columns \['year'\]"),
    ],
)
def test_bad_tables_are_refused(songs, old, new, message):
    (songs / "songs.csv").write_text(CSV.replace(old, new))
    with pytest.raises(ValueError, match=message):
        generic(songs / "songs.csv", songs / "schema.yaml", "sku")


def test_an_empty_column_is_no_mistake_and_an_empty_table_is(songs):
    (songs / "songs.csv").write_text("sku,title,genre,mood,year,live\n1,A,Rock,sad,,yes\n")
    assert "year" not in generic(songs / "songs.csv", songs / "schema.yaml", "sku").row("1")
    (songs / "songs.csv").write_text("sku,title,genre,mood,year,live\n")
    with pytest.raises(ValueError, match="has no rows"):
        generic(songs / "songs.csv", songs / "schema.yaml", "sku")


@pytest.mark.parametrize(
    ("name", "content", "error", "message"),
    [
        ("x.txt", "a", ValueError, "must be a file of type"),
        ("x.csv", None, FileNotFoundError, "no table at"),
        ("x.jsonl", '{"a": 1}\n{"a"', ValueError, "line 2"),
        ("x.jsonl", "[1]", ValueError, "line 1 must be an object"),
        ("x.parquet", "no", ValueError, "cannot be read as .parquet"),
        ("x.csv.gz", "no", ValueError, "cannot be read as .csv"),
    ],
)
def test_bad_files_are_named(tmp_path, name, content, error, message):
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(error, match=message):
        read_table(tmp_path / name)


def test_unknown_datasets_and_foreign_folders_are_refused(script, tmp_path):
    prepare = script("prepare_catalog").prepare
    with pytest.raises(ValueError, match=r"unknown dataset 'deezer' \(known: amazon, generic, movielens-100k"):
        prepare(CatalogConfig(dataset="deezer", out=str(tmp_path / "new")))
    with pytest.raises(ValueError, match="needs schema=FILE"):
        prepare(CatalogConfig(dataset="generic", path="x.csv", out=str(tmp_path / "new")))
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ValueError, match="holds other files"):
        prepare(CatalogConfig(dataset="movielens-100k", out=str(tmp_path)))
    assert (tmp_path / "thesis.tex").is_file()


def test_users_are_added_and_replaced(script, songs):
    plain = generic(songs / "songs.csv", songs / "schema.yaml", "sku")
    Catalog(plain.schema, plain.items, evaluation_only="the terms").save(songs / "catalog")
    prepare = script("prepare_user_profiles").prepare
    (songs / "users.csv").write_text("user_id,age,job\n1,20,nurse\n2,,cook\n")
    (songs / "more.jsonl").write_text('{"user_id": 2, "age": 33}\n{"user_id": 3, "job": "cook"}\n')
    for table in ("users.csv", "more.jsonl"):
        prepare(UserProfilesConfig(catalog=str(songs / "catalog"), path=str(songs / table), out=str(songs / "catalog")))
    catalog = Catalog.load(songs / "catalog")
    assert [catalog.user(u) for u in ("1", "2", "3")] == [{"age": 20.0, "job": "nurse"}, {"age": 33.0}, {"job": "cook"}]
    assert catalog.schema.users["job"].values == ("cook", "nurse")
    assert catalog.ids == ["007", "008", "009"]
    assert catalog.evaluation_only == "the terms"


def test_users_need_a_schema_that_knows_them(script, songs):
    (songs / "schema.yaml").write_text(yaml.safe_dump({k: v for k, v in SCHEMA.items() if k != "users"}))
    generic(songs / "songs.csv", songs / "schema.yaml", "sku").save(songs / "catalog")
    config = UserProfilesConfig(catalog=str(songs / "catalog"), path="users.csv", out=str(songs / "new"))
    with pytest.raises(ValueError, match="has no user attributes"):
        script("prepare_user_profiles").prepare(config)


@pytest.mark.parametrize("name", ["catalog", "user_profiles", "generate"])
def test_configs_compose(name):
    register()
    with initialize_config_dir(CONFIG_DIR, version_base="1.3"):
        needed = {"catalog": ["dataset=x", "out=y"], "user_profiles": ["catalog=x", "path=y", "out=z"]}
        config = to_object(compose(name, overrides=needed.get(name, ["out=x.yaml"])))
    assert config.out


def test_generate_config_is_checked():
    with pytest.raises(ValueError, match="out must be a"):
        generate_config("folder")
    with pytest.raises(ValueError, match="entity must be"):
        generate_config("x.yaml", entity="film")


# Generated wordings: a fake language model, and sentences whose embedding counts a few words.

WORDS = ("funny", "laugh", "sad", "tears", "old", "new", "young", "night")
FILM_WORDS = {
    "genre": {"Comedy": ["funny", "a laugh", "so funny"], "Drama": ["sad", "tears", "so sad"]},
    "year": {"0%-50%": ["old", "really old"], "50%-100%": ["new", "quite new"], "40%-60%": ["old and new"]},
}
PEOPLE_WORDS = {"age_range": {"18-24": ["young", "a young one"]}, "time_of_day": {"night": ["at night", "by night"]}}


class CountedSentences:
    """A sentence encoder with one dimension per known word."""

    def encode(self, texts):
        counts = [[t.lower().replace(",", " ").split().count(w) for w in WORDS] for t in texts]
        return np.array(counts, dtype=np.float32) + 1e-3


class FakeGenerator:
    """Answers from a list; remembers what it was asked."""

    name = "fake"

    def __init__(self, *answers, stop_after=None):
        self.answers, self.asked, self.stop_after = answers, [], stop_after

    def write(self, messages, count, *, seed):
        if self.stop_after is not None and len(self.asked) >= self.stop_after:
            raise KeyboardInterrupt
        self.asked.append(messages[-1]["content"])
        return list(self.answers)


def generate_config(out, **changes):
    defaults = {"catalog": "x", "descriptions": "y", "model": "fake", "combinations": 10, "candidates": 4}
    shares = {"holdout_wordings": 0.0, "holdout_valid": 0.0}
    settings = {**defaults, **shares, "temperature": 1.0, "out": str(out), **changes}
    return GenerateConfig(**settings)


def small_schema():
    items = {"genre": {"kind": "category"}, "year": {"kind": "ordered", "range": [1900, 2000]}}
    users = {
        "age_range": {"kind": "category", "values": ["18-24", "50+"]},
        "time_of_day": {"kind": "category", "values": ["morning", "night"]},
    }
    return Schema.from_dict({"domain": "films", "noun": "film", "items": items, "users": users})


@pytest.fixture
def films(tmp_path):
    """A catalogue and descriptions whose words `CountedSentences` understands."""
    items = pd.DataFrame({"genre": ["Comedy", "Drama"], "year": [1950.0, 1990.0]}, index=["1", "2"])
    Catalog(small_schema().fit(items), items).save(tmp_path / "catalog")
    texts = tmp_path / "descriptions"
    texts.mkdir()
    for entity, words in (("item", FILM_WORDS), ("user", PEOPLE_WORDS)):
        (texts / f"{entity}.yaml").write_text(
            yaml.safe_dump({"domain": "films", "entity": entity, "attributes": words})
        )
    return SimpleNamespace(
        out=tmp_path / "made.yaml", settings={"catalog": str(tmp_path / "catalog"), "descriptions": str(texts)}
    )


@pytest.fixture
def faked(script, monkeypatch):
    """A generating script with a fake model and fake sentences in their places."""

    def make(name, generator):
        module = script(name)
        monkeypatch.setattr(module, "open_generator", lambda config: generator)
        monkeypatch.setattr(module, "SentenceEncoder", lambda name: CountedSentences())
        return module

    return make


def judge_of(paraphrase, margin=0.0):
    schema = small_schema()
    wordings = {a: {v: tuple(w) for v, w in values.items()} for a, values in (FILM_WORDS | PEOPLE_WORDS).items()}
    return paraphrase.Judge(wordings, {**schema.items, **schema.users}, CountedSentences(), margin=margin)


def test_the_judge_accepts_what_is_nearest_to_its_own_value(script):
    paraphrase = script("paraphrase")
    comedy = (paraphrase.ValueKey("genre", "Comedy"),)
    candidates = ["a funny one", "sad", "funny, laugh", "funny and sad, sad", "old"]
    assert judge_of(paraphrase).accepts(candidates, comedy) == [True, False, True, False, False]
    assert judge_of(paraphrase).accepts([], comedy) == []
    close = ["funny funny sad"]
    assert judge_of(paraphrase, margin=0.1).accepts(close, comedy) == [True]
    assert judge_of(paraphrase, margin=0.9).accepts(close, comedy) == [False]


def test_overlapping_ranges_are_no_rivals(script):
    paraphrase = script("paraphrase")
    judge = judge_of(paraphrase)
    assert judge.accepts(["old and new"], [paraphrase.ValueKey("year", "40%-60%")]) == [True]
    assert judge.accepts(["old and new, old"], [paraphrase.ValueKey("year", "0%-50%")]) == [True]
    assert judge.accepts(["old and new, new"], [paraphrase.ValueKey("year", "0%-50%")]) == [False]


def test_a_combination_must_be_near_to_all_its_parts(script):
    paraphrase = script("paraphrase")
    key = paraphrase.ValueKey
    parts = (key("genre", "Comedy"), key("year", "0%-50%"))
    assert judge_of(paraphrase).accepts(["funny old", "funny new", "sad old"], parts) == [True, False, False]


@pytest.mark.parametrize(
    ("answer", "wording"),
    [
        ('"A funny film."', "A funny film"),
        ("\n- a funny film\nand another", "a funny film"),
        ("2. a funny film", "a funny film"),
        ("Here are some ideas:", None),
        ("loud, loud, loud, loud", None),
        ("one two three four five six seven eight nine", None),
        (" ", None),
    ],
)
def test_answers_are_cleaned(script, answer, wording):
    assert script("paraphrase").clean(answer, max_words=8) == wording


def test_descriptions_are_generated_with_provenance(faked, films):
    generator = FakeGenerator("a funny film", "a sad film", "FUNNY", "nothing")
    config = generate_config(films.out, **films.settings)
    records = faked("generate_descriptions", generator).run(config)
    text = films.out.read_text()
    assert text.startswith("# GENERATED wordings, by fake")
    assert yaml.safe_load(text)["attributes"]["genre"] == {"Comedy": ["a funny film"], "Drama": ["a sad film"]}
    lines = [json.loads(line) for line in (films.out.with_suffix(".provenance.jsonl")).read_text().splitlines()]
    assert len(lines) == len(records) == 11
    comedy = lines[0]
    assert (comedy["values"], comedy["source"], comedy["model"]) == ([["genre", "Comedy"]], "funny", "fake")
    assert comedy["accepted"] == ["a funny film"]
    assert "a sad film" in comedy["rejected"]
    assert "FUNNY" not in str(lines)  # it exists already


def test_generated_files_are_description_files(faked, films, tmp_path):
    faked("generate_descriptions", FakeGenerator("a funny film")).run(generate_config(films.out, **films.settings))
    (tmp_path / "alone").mkdir()
    films.out.rename(tmp_path / "alone" / "made.yaml")
    assert load_descriptions(tmp_path / "alone", small_schema()).items == {"genre": {"Comedy": ("a funny film",)}}


def test_an_interrupted_run_goes_on_where_it_stopped(faked, films):
    config = generate_config(films.out, **films.settings)
    first = FakeGenerator("a funny film", "all in tears", stop_after=3)
    with pytest.raises(KeyboardInterrupt):
        faked("generate_descriptions", first).run(config)
    assert "a funny film" in films.out.read_text()
    provenance = films.out.with_suffix(".provenance.jsonl")
    with provenance.open("a") as file:
        file.write('{"values": [["genre", "Dra')  # torn by the interruption
    second = FakeGenerator("a funny film", "all in tears")
    faked("generate_descriptions", second).run(config)
    assert len(first.asked) == 3
    assert not set(first.asked) & set(second.asked)
    assert len(provenance.read_text().splitlines()) == 11
    made = yaml.safe_load(films.out.read_text())["attributes"]["genre"]
    assert made == {"Comedy": ["a funny film"], "Drama": ["all in tears"]}  # each accepted once
    third = FakeGenerator()
    faked("generate_descriptions", third).run(config)
    assert third.asked == []


def test_a_limit_spreads_over_the_values(faked, films):
    generator = FakeGenerator("a funny film")
    faked("generate_descriptions", generator).run(generate_config(films.out, limit=3, **films.settings))
    assert generator.asked == ["funny", "sad", "old"]


def test_held_out_wordings_are_neither_source_nor_result(faked, films):
    generator = FakeGenerator(*(f"a funny film {i}" for i in range(40)))
    config = generate_config(films.out, holdout_wordings=0.5, **films.settings)
    module = faked("generate_descriptions", generator)
    records = module.run(config)
    accepted = [w for r in records for w in r.accepted]
    assert 0 < len(accepted) < 40
    assert all(module.is_training(w, config) for w in [*accepted, *generator.asked])
    assert len(generator.asked) < 11


def test_composites_are_generated_for_new_and_known_combinations(faked, films, script):
    both = {"age_range": "18-24", "time_of_day": "night"}
    generator = FakeGenerator("young, at night", "just young")
    module = faked("generate_composites", generator)
    records = module.run(generate_config(films.out, **films.settings))
    assert [r.source for r in records] == ["age range 18-24; time of day night"]
    made = {"domain": "films", "composites": [{"when": both, "wordings": ["young, at night", "just young"]}]}
    assert yaml.safe_load(films.out.read_text()) == made  # no rivals are described here, so nothing speaks against it
    descriptions = films.settings["descriptions"]
    (films.out.parent / "descriptions" / "known.yaml").write_text(
        yaml.safe_dump({"domain": "films", "composites": [{"when": both, "wordings": ["a young owl"]}]})
    )
    again = FakeGenerator("young, by night")
    config = generate_config(films.out.with_name("b.yaml"), **{**films.settings, "descriptions": descriptions})
    assert [r.source for r in faked("generate_composites", again).run(config)] == ["a young owl"]


def test_combinations_that_nobody_has_are_left_out(script):
    module = script("generate_composites")
    users = pd.DataFrame({"age_range": ["18-24"], "time_of_day": [None]}, index=["1"])
    items = pd.DataFrame({"genre": ["Comedy"], "year": [1950.0]}, index=["1"])
    catalog = Catalog(small_schema().fit(items, users), items, users)
    key = script("paraphrase").ValueKey
    assert not module._ruled_out(
        (key("age_range", "50+"), key("time_of_day", "night")), catalog
    )  # nobody tells the time
    users["time_of_day"] = "morning"
    catalog = Catalog(catalog.schema, items, users)
    assert module._ruled_out((key("age_range", "50+"), key("time_of_day", "morning")), catalog)
    assert not module._ruled_out((key("age_range", "18-24"), key("time_of_day", "morning")), catalog)


@pytest.fixture
def endpoint():
    """A server that answers every chat with the last message, shouted, or with what `broken` holds."""
    seen = SimpleNamespace(bodies=[], broken=None)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            seen.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            content = seen.bodies[-1]["messages"][-1]["content"].upper()
            answer = seen.broken or json.dumps({"choices": [{"message": {"content": content}}]})
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer.encode())

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    seen.url = f"http://127.0.0.1:{server.server_port}/v1"
    yield seen
    server.shutdown()
    server.server_close()


def test_an_endpoint_answers(script, endpoint):
    paraphrase = script("paraphrase")
    generator = paraphrase.EndpointGenerator("big-model", endpoint.url, temperature=0.5)
    assert generator.write([{"role": "user", "content": "hello"}], 2, seed=7) == ["HELLO", "HELLO"]
    assert [(b["model"], b["seed"]) for b in endpoint.bodies] == [("big-model", 7), ("big-model", 8)]
    endpoint.broken = "<html>"
    with pytest.raises(ValueError, match="did not answer with a chat completion"):
        generator.write([{"role": "user", "content": "hello"}], 1, seed=7)
    with pytest.raises(ConnectionError, match="does not answer"):
        paraphrase.EndpointGenerator("m", "http://127.0.0.1:9", temperature=1.0).write([], 1, seed=0)
    with pytest.raises(ValueError, match="endpoint must be an http address"):
        paraphrase.EndpointGenerator("m", "file:///etc/passwd", temperature=1.0)
