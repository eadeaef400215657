"""Simulated users with temperaments, real people, and SteerEval's edited profiles."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from talkwalk.config import HoldoutConfig, WalksConfig
from talkwalk.datasets.movielens_tags import tagged_items
from talkwalk.eval.people import people, target_places
from talkwalk.eval.sessions import Ask, RecordedSession, RecordedTurn
from talkwalk.eval.simulated_user import Babbler, Seeker, Temperament, Voice
from talkwalk.eval.steereval import auc, edits, measure_steereval, profile_text
from talkwalk.eval.system import Scored
from talkwalk.eval.unseen import Unseen, Words
from talkwalk.eval.world import Amounts, World
from talkwalk.projection.steps import StepKind


def shown(*ids, turns=1):
    return RecordedSession(tuple(RecordedTurn(Ask("x"), ids) for _ in range(turns)))


@pytest.fixture
def seek(catalog, language):
    def made(temperament, *, target="1", seed=0, terse=False):
        voice = Voice(language, np.random.default_rng(seed), terse=terse)
        return Seeker(catalog, voice, target, {target}, temperament=temperament)

    return made


class TestTemperaments:
    def test_terse_people_use_the_shortest_words(self, catalog, language):
        voice = Voice(language, np.random.default_rng(0), terse=True)
        assert {voice.direction("year", 1).text for _ in range(20)} == {"newer"}

    def test_chatty_people_mean_the_same(self, seek):
        for here in ("4", "9", "20"):
            plain, chatty = (seek(t)(shown(here)) for t in (Temperament.PLAIN, Temperament.CHATTY))
            assert (plain.kind, plain.subject, plain.value) == (chatty.kind, chatty.subject, chatty.value)
            assert len(chatty.text) > len(plain.text) + 20

    def test_indecisive_people_often_say_nothing_of_it(self, seek):
        asks = [seek(Temperament.INDECISIVE, seed=seed)(shown("4")) for seed in range(200)]
        assert np.mean([ask.kind is StepKind.NEXT for ask in asks]) == pytest.approx(0.4, abs=0.1)

    def test_contradictory_people_ask_for_the_opposite_every_third_time(self, seek, catalog):
        alike = next(
            i for i in catalog.ids[1:] if set(catalog.items.loc[i, "genre"]) & set(catalog.items.loc["1", "genre"])
        )
        plain, contrary = seek(Temperament.PLAIN), seek(Temperament.CONTRADICTORY)
        for turns in range(1, 7):
            asked, said = plain(shown(alike, turns=turns)), contrary(shown(alike, turns=turns))
            assert asked.kind is StepKind.DIRECTION
            assert said.value == (-asked.value if turns % 3 == 1 else asked.value)

    def test_a_random_speaker_leaves_when_pleased_or_out_of_patience(self, catalog, language):
        babbler = Babbler(catalog, Voice(language, np.random.default_rng(0)), {"7"}, patience=4)
        asks = [babbler(shown("3", turns=n)) for n in range(4)]
        assert asks[0].kind is StepKind.NEXT and all(a.kind in (StepKind.DIRECTION, StepKind.SWITCH) for a in asks[1:])
        assert babbler(shown("3", turns=4)) is None
        assert babbler(shown("3", "7")) is None


class Knows(Scored):
    """Puts what it is told to first."""

    name = "knows"

    def __init__(self, wanted):
        self.wanted = wanted

    def scores(self, dialogue):
        return np.array([float(i in self.wanted(dialogue)) for i in self.ids])


class TestRankings:
    def test_what_was_had_does_not_count(self, catalog):
        persons = people(catalog)[:4]
        targets = {p.target for p in persons}
        perfect, hopeless = Knows(lambda d: targets), Knows(lambda d: set(catalog.ids) - targets)
        for system in (perfect, hopeless):
            system.fit(catalog)
        texts = ["what next"] * len(persons)
        assert (target_places(perfect, catalog, persons, texts, told=True) < 4).all()
        last = target_places(hopeless, catalog, persons, texts, told=False)
        assert (last >= len(catalog) - 5 - 4).all()  # five had, four targets share the end


class TestSteerEval:
    def test_auc_written_out(self):
        rng = np.random.default_rng(0)
        ranked, has = [str(i) for i in rng.permutation(30)], rng.random(20) < 0.4
        pool = [str(i) for i in range(20)]
        wins = [
            ranked.index(a) < ranked.index(b)
            for a, x in zip(pool, has, strict=True) for b, y in zip(pool, has, strict=True) if x and not y
        ]  # fmt: skip
        assert auc(ranked, pool, has) == pytest.approx(np.mean(wins))
        assert auc([], pool, has) == 0.5

    @pytest.fixture
    def world(self, catalog, descriptions, language):
        walks = WalksConfig(simulated=1, real=0, test=1)
        words = {"unseen_wordings": Words(descriptions, language)}
        return World(catalog, Unseen(HoldoutConfig(), walks, words), Amounts(1, 1, 0, 2, genre_users=3))

    def test_pools_are_half_and_half_and_new_to_the_person(self, world):
        persons = [p for p in people(world.catalog) if p.history]
        found = edits(world)
        assert {e.label.name for e in found} == {"Comedy", "Drama", "Horror", "Western"}
        assert len(found) == 12
        for edit in found:
            assert edit.has.sum() * 2 == len(edit.pool) == len(set(edit.pool))
            assert not set(edit.pool) & set(persons[edit.person].history)
            for item_id, has in zip(edit.pool, edit.has, strict=True):
                assert (edit.label.name in world.catalog.items.loc[item_id, "genre"]) == has

    def test_tags_are_labels_of_their_own(self, world, tmp_path):
        films = world.catalog.items.iloc[-20:]
        names = [f"{row.title} ({row.year:.0f})" for row in films.itertuples()]
        lines = [f'{900 + n},"{name}",Drama' for n, name in enumerate(names)]
        (tmp_path / "movies.csv").write_text("\n".join(["movieId,title,genres", *lines]) + "\n")
        given = [f"{1 + n % 2},{900 + n},Cult,1" for n in range(12)] + [f"1,{900 + n},getdvd,1" for n in range(15)]
        given += [f"{n},{900 + n},Comedy,1" for n in range(15)] + ["1,900,rare,1", "2,900,rare,1"]
        (tmp_path / "tags.csv").write_text("\n".join(["userId,movieId,tag,timestamp", *given]) + "\n")
        tagged = dataclasses.replace(world, tags=tagged_items(tmp_path, world.catalog))
        found = [e for e in edits(tagged) if e.label.tag]
        assert {e.label.name for e in found} == {"cult"}  # given by two people to ten films, and no genre
        assert all(set(np.array(e.pool)[e.has]) <= set(films.index[:12]) for e in found)
        system = Knows(lambda d: set(films.index[:12]) if "more cult" in d.text else set())
        system.fit(tagged.catalog)
        figures = measure_steereval(system, tagged).figures
        assert min(figures["steereval/tag_towards"].values()) > 0.2
        assert set(figures["steereval/tag_away"].values()) == {0.0}
        assert all(key.startswith("genre=") for key in figures["steereval/towards"])

    def test_profiles_name_what_was_had(self, catalog):
        person = people(catalog)[0]
        text = profile_text(catalog, person)
        assert all(catalog.items.loc[i, "title"] in text for i in person.history[-3:])

    def test_obedient_deaf_and_contrary(self, world):
        genre = world.catalog.items["genre"]

        def hears(dialogue):
            for word, side in (("more ", True), ("any ", False)):
                value = dialogue.text.rpartition(word)[2].rstrip(".")
                if dialogue.text.rpartition(word)[1] and value in ("Comedy", "Drama", "Horror", "Western"):
                    return {i for i in world.catalog.ids if (value in genre[i]) is side}
            return set()

        for system, sign in ((Knows(hears), 1), (Knows(lambda d: set()), 0)):
            system.fit(world.catalog)
            figures = measure_steereval(system, world).figures
            for side in ("towards", "away"):
                values = np.array(list(figures[f"steereval/{side}"].values()))
                assert (values > 0.2).all() if sign else (values == 0).all()
