"""ReDial and CPCD: their readers on hand-made files in the official format, on the real files, and the protocols."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pandas as pd
import pytest

from talkwalk.datasets.cpcd import cpcd_catalog, cpcd_dialogues
from talkwalk.datasets.redial import redial_catalog, redial_dialogues
from talkwalk.eval.human_dialogues import measure_cpcd, measure_redial, moments
from talkwalk.eval.rivals.collaborative import CoMention
from talkwalk.eval.system import Scored
from talkwalk.eval.world import Amounts, World
from talkwalk.index.catalog import Catalog
from talkwalk.schema import Schema
from tests.real_data import real

NAMES = ("Heat (1995)", "Up (2009)", "Untitled", "Big (1988)")
FILMS = {
    str(i): {"name": n, "genre": g, "plot": "", "director": [], "writer": [], "star": [], "imdb_id": ""}
    for i, (n, g) in enumerate(zip(NAMES, (["crime"], ["family", "sci-fi"], [], ["comedy"]), strict=True), start=1)
}


def redial_dialogue(number, *messages, form):
    said = [
        {"senderWorkerId": who, "text": text, "messageId": i, "timeOffset": i} for i, (who, text) in enumerate(messages)
    ]
    return {
        "conversationId": str(number), "initiatorWorkerId": 0, "respondentWorkerId": 1,
        "messages": said,
        "movieMentions": {"1": "Heat (1995)", "77": "Lost (1900)"},
        "initiatorQuestions": {i: {"suggested": s, "seen": 0, "liked": liked} for i, (s, liked) in form.items()},
        "respondentQuestions": {},
    }  # fmt: skip


def write(path, lines):
    with gzip.open(path, "wt") as file:
        file.write(lines)


@pytest.fixture
def redial(tmp_path):
    write(tmp_path / "id2info.json.gz", json.dumps(FILMS))
    train = [redial_dialogue(9, (0, "I saw @1 and @4"), (1, "try @2"), form={})]
    valid = [
        redial_dialogue(
            5, (1, "hello"), (0, "hi"), (0, "something like @1 or @77"), (1, "sure"), (1, "@2 or @4 ?"),
            (0, "liked it"), (1, "@4 again and @3"), form={"1": (0, 1), "2": (1, 1), "4": (1, 0), "3": (1, 2)},
        ),
        {**redial_dialogue(6, (0, "hi"), (1, "@2"), form={}), "initiatorQuestions": []},
    ]  # fmt: skip
    for name, dialogues in (("redial_train_part", train), ("redial_valid", valid)):
        write(tmp_path / f"{name}.jsonl.gz", "\n".join(map(json.dumps, dialogues)))
    return tmp_path


class TestReDial:
    def test_the_catalogue(self, redial):
        catalog = redial_catalog(redial)
        rows = [catalog.row(i) for i in catalog.ids]
        assert [row["title"] for row in rows] == ["Heat", "Up", "Untitled", "Big"]
        assert [row.get("year") for row in rows] == [1995, 2009, None, 1988]
        assert [row.get("genre") for row in rows] == [["Crime"], ["Children's", "Sci-Fi"], None, ["Comedy"]]
        assert [row["popularity"] for row in rows] == pytest.approx([np.log(2), np.log(2), 0, np.log(2)])
        assert set(catalog.interactions["split"]) == {"train"}

    def test_turns_end_where_the_recommender_has_spoken(self, redial):
        opening, answered, last = redial_dialogues(redial)[0].turns
        assert (opening.text, opening.reply, opening.suggested) == ("", "hello", ())
        assert answered.text == "hi something like Heat or Lost"
        assert (answered.named, answered.reply) == (("1",), "sure Up or Big ?")
        assert (answered.suggested, answered.liked, answered.disliked) == (("2", "4"), ("2",), ("4",))
        assert (last.suggested, last.liked, last.disliked) == (("4", "3"), (), ("4",))

    def test_an_empty_form_has_no_labels(self, redial):
        assert redial_dialogues(redial)[1].turns[0].suggested == ()

    def test_no_label_reaches_a_system(self, redial):
        for moment in moments(redial_dialogues(redial), reactions=False):
            assert all(not turn.liked and not turn.disliked for turn in moment.dialogue.turns)

    def test_recall_counts_first_suggestions(self, redial):
        catalog = redial_catalog(redial)

        class Order(Scored):
            name = "order"

            def scores(self, dialogue):
                return -np.arange(len(self.ids), dtype=float)

        system = Order()
        system.fit(catalog)
        figures = measure_redial(system, World(catalog, None, Amounts(1, 1, 0, 2), data=redial)).figures
        # 1 is named, so 2, 3, 4 are ranked: 2 first, 4 third; 4 is no case again; then 3 alone is left
        assert figures["redial/all/mrr"] == pytest.approx({"5:1:2": 1.0, "5:1:4": 1 / 3, "5:2:3": 1.0})
        assert figures["redial/r1"] == {"5:1:2": 1.0}
        assert figures["redial/all/r1"] == {"5:1:2": 1.0, "5:1:4": 0.0, "5:2:3": 1.0}

    def test_co_mentions_are_learned_from_training_dialogues(self, redial):
        catalog = redial_catalog(redial)
        system = CoMention()
        with pytest.raises(ValueError, match="no interactions"):
            system.fit(catalog)  # one training dialogue is not enough

    def test_missing_files_are_named(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"ReDial needs id2info\.json\.gz"):
            redial_catalog(tmp_path)

    def test_the_real_files(self):
        catalog, dialogues = redial_catalog(real("redial")), redial_dialogues(real("redial"))
        assert (len(catalog), len(dialogues)) == (6583, 901)
        turns = [turn for dialogue in dialogues for turn in dialogue.turns]
        assert sum(len(t.liked) for t in turns) > 1500
        for turn in turns:
            catalog.check_ids([*turn.named, *turn.suggested])
            assert "@" not in turn.text.replace(" @ ", "") or not any(c.isdigit() for c in turn.text.split("@")[1][:2])
        assert catalog.items["year"].notna().mean() > 0.9


@pytest.fixture
def cpcd(tmp_path):
    tracks = {
        i: {"track_ids": i, "track_titles": f"Song {i}", "track_artists": ["A", "B"], "track_release_titles": "Album"}
        for i in "abcdef"
    }
    turns = [
        {"user_query": "reggae", "system_response": "here", "liked_results": ["a"], "disliked_results": ["b", "a"]},
        {"user_query": "thanks", "system_response": "ok", "liked_results": [], "disliked_results": []},
        {"user_query": "more", "system_response": "sure", "liked_results": ["c"], "disliked_results": ["d"]},
    ]
    write(
        tmp_path / "cpcd_dev.jsonl.gz", json.dumps({"id": "x", "turns": turns, "tracks": tracks, "goal_playlist": []})
    )
    return tmp_path


class TestCPCD:
    def test_tracks_have_words_only(self, cpcd):
        catalog = cpcd_catalog(cpcd)
        assert catalog.row("a") == {"title": "Song a", "artist": "A, B", "album": "Album"}
        assert catalog.schema.ordered == () and catalog.schema.categorical == ()

    def test_a_catalogue_of_music_lends_its_artists_attributes(self, cpcd):
        items = {"artist": {"kind": "text"}, "title": {"kind": "text"}, "year": {"kind": "ordered"},
                 "genre": {"kind": "category", "values": ["pop", "rock"]}}  # fmt: skip
        rows = [("b", 1970, "rock"), ("B", 1980, "pop"), ("B", 1990, "rock"), ("nobody", 2020, "pop")]
        tracks = pd.DataFrame(rows, columns=["artist", "year", "genre"], index=list("wxyz")).assign(title="t")
        schema = Schema.from_dict({"domain": "music", "items": items}).fit(tracks)
        lent = cpcd_catalog(cpcd, artists=Catalog(schema, tracks, evaluation_only="only to look at"))
        assert lent.row("a") == {"title": "Song a", "artist": "A, B", "year": 1980, "genre": "rock"}
        assert lent.ids == list("abcdef") and lent.evaluation_only == "only to look at"

    def test_tracks_of_artists_that_nobody_knows_have_a_title_and_a_name(self, cpcd):
        tracks = pd.DataFrame({"artist": ["C"], "title": ["t"], "year": [1990]}, index=["w"])
        items = {"artist": {"kind": "text"}, "title": {"kind": "text"}, "year": {"kind": "ordered"}}
        schema = Schema.from_dict({"domain": "music", "items": items}).fit(tracks)
        assert cpcd_catalog(cpcd, artists=Catalog(schema, tracks)).row("a") == {"title": "Song a", "artist": "A, B"}

    def test_turns_carry_what_was_liked(self, cpcd):
        first, _, last = cpcd_dialogues(cpcd)[0].turns
        assert (first.liked, first.disliked) == (("a",), ("b",))
        assert (last.text, last.reply, last.suggested) == ("more", "sure", ("c", "d"))

    def test_movement_towards_and_away_written_out(self, cpcd):
        catalog = cpcd_catalog(cpcd)

        class Moves(Scored):
            """c first and d last once "more" was said; before, the other way round."""

            name = "moves"

            def scores(self, dialogue):
                order = "cefbad" if dialogue.text == "more" else "abdefc"
                return np.array([-float(order.index(i)) for i in self.ids])

        system = Moves()
        system.fit(catalog)
        figures = measure_cpcd(system, World(catalog, None, Amounts(1, 1, 0, 2), data=cpcd)).figures
        assert figures["cpcd/mrr"] == pytest.approx({"x:0:a": 1.0, "x:2:c": 1.0})
        # a and b are seen by then: before "more" d, e, f, c stand; after it c, e, f, d
        assert figures["cpcd/towards_liked"] == pytest.approx({"x:2": 1.0})
        assert figures["cpcd/away_from_disliked"] == pytest.approx({"x:2": 1.0})

    def test_the_real_file(self):
        catalog, dialogues = cpcd_catalog(real("cpcd")), cpcd_dialogues(real("cpcd"))
        assert (len(catalog), len(dialogues)) == (4540, 25)
        for dialogue in dialogues:
            for turn in dialogue.turns:
                catalog.check_ids(list(turn.suggested))
        assert sum(len(turn.liked) for dialogue in dialogues for turn in dialogue.turns) == 525
