"""Spotify tracks, in TidyTuesday's columns."""

from __future__ import annotations

import pytest

from talkwalk.datasets.resolve import open_catalog, open_for_training
from talkwalk.datasets.spotify import COLUMNS, spotify
from tests.real_data import real

HEADER = (
    "track_id,track_name,track_artist,track_popularity,track_album_id,track_album_name,track_album_release_date,"
    "playlist_name,playlist_id,playlist_genre,playlist_subgenre,danceability,energy,key,loudness,mode,speechiness,"
    "acousticness,instrumentalness,liveness,valence,tempo,duration_ms"
)


def line(track="a", title="Song", date="2019-06-14", genre="pop", subgenre="dance pop", tempo="120.5"):
    return f"{track},{title},Band,66.0,x,X,{date},P,p,{genre},{subgenre},0.7,0.9,6,-2.6,1,0.05,0.1,0,0.06,0.5,{tempo},1"


def write(folder, *lines):
    (folder / "spotify_songs.csv").write_text("\n".join([HEADER, *lines]) + "\n")
    return folder / "spotify_songs.csv"


def test_a_track_is_there_once(tmp_path, caplog):
    rows = [
        line(subgenre="electropop"),
        line(genre="edm", subgenre="big room"),
        line(subgenre="dance pop"),
        line(subgenre="dance pop"),
        line("b", '"Hey, You"', "1999", "rock", "hard rock", "0.0"),
        line("c", "", "2003-02", "rock", "hard rock"),
        line("c", "", "2003-02", "latin", "tropical"),
    ]
    tracks = spotify(write(tmp_path, *rows))
    assert tracks.row("a") == {
        "title": "Song", "artist": "Band", "genre": "pop", "subgenre": "dance pop", "energy": 0.9, "valence": 0.5,
        "danceability": 0.7, "acousticness": 0.1, "tempo": 120.5, "popularity": 66, "year": 2019,
    }  # fmt: skip
    assert tracks.row("b")["title"] == "Hey, You" and tracks.row("b")["year"] == 1999 and "tempo" not in tracks.row("b")
    assert "title" not in tracks.row("c") and tracks.row("c")["year"] == 2003
    assert (tracks.row("c")["genre"], tracks.row("c")["subgenre"]) == ("latin", "tropical")  # a tie: by the alphabet
    assert "for evaluation only" in caplog.text


def test_the_subgenre_belongs_to_the_genre(tmp_path):
    rows = [line(genre="rap", subgenre=s) for s in ("trap", "hip hop")] + [line(genre="rap", subgenre="gangster rap")]
    rows += [line(genre="pop", subgenre="dance pop")] * 2
    tracks = spotify(write(tmp_path, *rows))
    assert (tracks.row("a")["genre"], tracks.row("a")["subgenre"]) == ("rap", "gangster rap")


def test_the_folder_will_do(tmp_path):
    write(tmp_path, line())
    assert spotify(tmp_path).ids == ["a"]
    with pytest.raises(FileNotFoundError, match=r"no spotify_songs.csv, gzipped or not, at "):
        spotify(tmp_path / "nowhere")


def test_a_missing_column_and_a_wrong_cell_are_named(tmp_path):
    path = write(tmp_path, line(tempo="fast"))
    with pytest.raises(ValueError, match="column 'tempo' of 'a' must be a number, got 'fast'"):
        spotify(path)
    path.write_text(path.read_text().replace("playlist_genre", "genre"))
    with pytest.raises(ValueError, match=r"lacks the columns \['playlist_genre'\]"):
        spotify(path)


def test_the_real_tracks():
    tracks = spotify(real("spotify_songs"))
    assert len(tracks) == 28_356
    for name in ("genre", "subgenre"):
        assert set(tracks.items[name]) == set(tracks.schema.items[name].values)
    missing = tracks.items.isna().sum()
    assert missing["tempo"] == 1 and missing[["title", "artist"]].tolist() == [4, 4]
    assert missing.drop(["tempo", "title", "artist"]).sum() == 0
    assert tracks.schema.items["year"].range == (1957, 2020)
    assert set(tracks.items.columns) == set(COLUMNS.values())
    row = tracks.row("6f807x0ima9a1j3VPbc7VN")
    assert row["artist"] == "Ed Sheeran" and row["tempo"] == 122.036 and row["year"] == 2019


def test_nothing_may_be_trained_on_them(tmp_path):
    write(tmp_path, line())
    spotify(tmp_path).save(tmp_path / "tracks")
    assert "for evaluation only" in open_catalog(tmp_path / "tracks").evaluation_only
    with pytest.raises(ValueError, match=r"catalog must be one that may be trained on, got .*tracks: Spotify's terms"):
        open_for_training(tmp_path / "tracks")
    for name in ("movielens-100k", "synthetic-music"):
        assert not open_for_training(name).evaluation_only
