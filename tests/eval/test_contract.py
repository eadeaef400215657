"""What every system must do, TalkWalk, every rival and the documentation's example alike."""

from __future__ import annotations

import re
import sys

import numpy as np
import pytest
import torch

from talkwalk.engine.senses import Sense
from talkwalk.eval.rivals.registry import SYSTEMS, Parts, open_system
from talkwalk.eval.rivals.utterance_head import UtteranceHead, save_utterance_head
from talkwalk.eval.sessions import check_ids
from talkwalk.eval.system import Dialogue, Said, Unsuited
from talkwalk.index.catalog import Catalog
from talkwalk.projection.projection_head import build_head
from talkwalk.schema import Schema
from tests.conftest import DIM, HashedSentences, make_language_model

DIALOGUES = {
    "first words": Dialogue("a comedy from the 80s"),
    "with a profile": Dialogue("what next", {"age": 25.0, "gender": "F"}),
    "with a history": Dialogue("newer", history=("3", "9")),
    "answered by somebody else": Dialogue(
        "older", history=("3",), turns=(Said("a drama", ("5", "6")), Said("no comedy", ("7", "8")))
    ),
    "with reactions": Dialogue("again", turns=(Said("a drama", ("5", "6"), liked=("6",), disliked=("5",)),)),
    "with names": Dialogue("like that", turns=(Said("hello", (), reply="hi"),), named=("11",)),
    "spread out": Dialogue("a western", diversity=0.7),
    "nothing said": Dialogue(""),
}
DOCUMENTED = "decades"
NAMES = [*SYSTEMS, "utterance_head", DOCUMENTED]


def page_code(repository, language="python"):
    page = (repository / "docs" / "your-own-system.md").read_text()
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


@pytest.fixture
def parts(bundle, backend):
    parts = Parts("tiny")
    parts.__dict__ |= {
        "bundle": bundle,
        "backend": backend,
        "whole_model": backend,
    }
    return parts


@pytest.fixture
def make(parts, space, repository, tmp_path, monkeypatch):
    """Opens a system by name, with small models."""

    def utterance_head():
        torch.manual_seed(0)
        categories = len(space.schema.category_values)
        axes = len(space.schema.ordered)
        head = build_head(
            "anchored",
            space.heard_dim,
            DIM,
            hidden=16,
            dropout=0.0,
            categories=categories,
            axes=axes,
            ranges=len(space.ranges),
        )
        head.eval()
        save_utterance_head(head, space, tmp_path / "head", name="mine", kind="anchored", hidden=16, dropout=0.0)
        system = UtteranceHead(tmp_path / "head")
        system.space.sentences = HashedSentences()
        return system

    def opened(name):
        if name == "utterance_head":
            return utterance_head()
        if name == DOCUMENTED:
            (tmp_path / "decades.py").write_text(page_code(repository)[0])
            monkeypatch.syspath_prepend(str(tmp_path))
            sys.modules.pop("decades", None)
            return open_system("decades:Decades", parts)
        if name == "llm_reranker":  # it needs a model whose output layer is its input layer
            model = make_language_model(1)
            model.model.config.tie_word_embeddings = True
            tied = Parts("tiny")
            tied.__dict__ |= {"bundle": parts.bundle, "backend": model, "whole_model": model}
            return open_system(name, tied)
        return open_system(name, parts)

    return opened


@pytest.fixture(params=NAMES)
def system(request, make, catalog):
    found = make(request.param)
    found.fit(catalog)
    return found


class TestEverySystem:
    @pytest.mark.parametrize("told", DIALOGUES)
    def test_answers_with_ids_that_may_be_shown(self, system, catalog, told):
        dialogue = DIALOGUES[told]
        ids = system.answer(dialogue, 5).ids
        check_ids(system, ids, catalog, 5)
        assert len(ids) == 5
        assert not set(ids) & dialogue.seen

    def test_the_same_dialogue_gets_the_same_answer(self, system):
        once = {told: system.answer(dialogue, 5).ids for told, dialogue in DIALOGUES.items()}
        again = {told: system.answer(DIALOGUES[told], 5).ids for told in reversed(DIALOGUES)}
        assert once == again

    def test_ranks_everything_in_the_order_of_its_answers(self, system, catalog):
        for dialogue in (d for d in DIALOGUES.values() if not d.diversity):
            ranked = system.answer(dialogue, len(catalog)).ids
            assert set(ranked) == set(catalog.ids) - dialogue.seen
            assert ranked[:5] == system.answer(dialogue, 5).ids

    def test_a_position_is_a_unit_vector_in_the_space_of_the_items(self, system, catalog):
        answer = system.answer(DIALOGUES["with a history"], 3)
        if system.vectors is None:
            assert answer.position is None
            return
        assert system.vectors.shape == (len(catalog), len(system.vectors[0]))
        assert np.linalg.norm(system.vectors, axis=1) == pytest.approx(np.ones(len(catalog)), abs=1e-5)
        if answer.position is not None:
            assert np.linalg.norm(answer.position) == pytest.approx(1, abs=1e-5)
            row = {item_id: i for i, item_id in enumerate(catalog.ids)}
            scores = [float(system.vectors[row[i]] @ answer.position) for i in answer.ids]
            assert scores == sorted(scores, reverse=True)

    @pytest.mark.parametrize("told", ["with a history", "answered by somebody else"])
    def test_its_words_may_be_meant_otherwise(self, system, catalog, told):
        dialogue, newer = DIALOGUES[told], Sense("year", 1)
        first = system.answer(dialogue, 5)
        corrected = system.rather(dialogue, newer, 5)
        check_ids(system, corrected.ids, catalog, 5)
        assert not set(corrected.ids) & dialogue.seen
        assert bool(first.heard or first.otherwise) <= system.offers
        if not system.offers:
            assert corrected.ids == first.ids
        later = Dialogue(
            "again", dialogue.user, dialogue.history, (*dialogue.turns, Said(dialogue.text, corrected.ids))
        )
        assert not set(system.answer(later, 5).ids) & later.seen
        assert system.answer(dialogue, 5).ids == first.ids  # a correction holds for that answer alone

    def test_has_a_name(self, system):
        assert re.fullmatch(r"[a-z0-9_]+", system.name)


@pytest.mark.parametrize("name", NAMES)
def test_a_catalogue_that_it_cannot_use_is_refused_with_a_reason(make, name, catalog):
    schema = Schema.from_dict({"domain": "movies", "title": "title", "items": {"title": {"kind": "text"}}})
    bare = Catalog(schema, catalog.items[["title"]])
    system = make(name)
    if name == DOCUMENTED:  # an example may expect the catalogue that it is an example for
        return
    try:
        system.fit(bare)
    except Unsuited as error:
        assert len(str(error)) > 20
        return
    assert len(system.answer(Dialogue("film 3"), 5).ids) == 5


class TestRivals:
    """Each rival hears what it says that it hears, and nothing else."""

    def answer(self, make, catalog, name, dialogue, k=5):
        system = make(name)
        system.fit(catalog)
        return system.answer(dialogue, k)

    def test_chance_and_popularity_are_deaf(self, make, catalog):
        answers = [self.answer(make, catalog, "popularity", Dialogue(text)).ids for text in ("a comedy", "older")]
        assert answers[0] == answers[1]
        train = catalog.interactions[catalog.interactions["split"] == "train"]
        assert answers[0][0] == train["item_id"].value_counts().reindex(catalog.ids).fillna(0).idxmax()
        rolled = [self.answer(make, catalog, "random", Dialogue(text)).ids for text in ("a comedy", "older")]
        assert rolled[0] != rolled[1]

    def test_words_find_titles(self, make, catalog):
        assert self.answer(make, catalog, "bm25", Dialogue("film 17")).ids[0] == "17"

    def test_keywords_filter_and_forget(self, make, catalog):
        genres = catalog.items["genre"]
        asked = self.answer(make, catalog, "keyword_filter", Dialogue("a western please"), 3).ids
        assert all("Western" in genres[i] for i in asked)
        kept = Dialogue("older", history=("3",), turns=(Said("a western please", asked),))
        assert all("Western" in genres[i] for i in self.answer(make, catalog, "keyword_filter", kept, 3).ids)
        refused = self.answer(make, catalog, "keyword_filter", Dialogue("no western, thanks"), 5).ids
        assert not any("Western" in genres[i] for i in refused)

    def test_keywords_move_one_step_along_an_axis(self, make, catalog):
        ranks = catalog.ranks("year")
        start = min(catalog.ids, key=lambda i: abs(ranks[i] - 0.6))
        first = self.answer(make, catalog, "keyword_filter", Dialogue("older", history=(start,)), 3).ids
        assert np.mean([ranks[i] for i in first]) == pytest.approx(ranks[start] - 0.3, abs=0.12)

    def test_keywords_go_back(self, make, catalog):
        dialogue = Dialogue("go back", turns=(Said("a drama", ("5", "6")), Said("older", ("7", "8"))))
        assert self.answer(make, catalog, "keyword_filter", dialogue, 4).ids[:2] == ("5", "6")

    def test_neighbours_are_what_was_had_together(self, make, catalog):
        train = catalog.interactions[catalog.interactions["split"] == "train"]
        item = train["item_id"].value_counts().idxmax()
        others = set(train[train["user_id"].isin(train[train["item_id"] == item]["user_id"])]["item_id"]) - {item}
        assert self.answer(make, catalog, "co_mention", Dialogue("x", history=(item,)), 1).ids[0] in others

    def test_a_person_is_folded_in_from_their_items(self, make, catalog):
        train = catalog.interactions[catalog.interactions["split"] == "train"]
        mine = train[train["user_id"] == "1"]["item_id"].tolist()
        system = make("collaborative")
        system.fit(catalog)
        assert system.answer(Dialogue("x", history=tuple(mine[:2])), 5) != system.answer(Dialogue("x"), 5)

    def test_the_last_item_counts_where_the_name_says_so(self, make, catalog):
        here, there = (Dialogue("newer", history=(i,)) for i in ("3", "14"))
        expected = {
            "encoder_utterance": False,
            "text_tower": False,
            "encoder_item_utterance": True,
            "item_plus_text": True,
        }
        for name, moves in expected.items():
            positions = [self.answer(make, catalog, name, d).position for d in (here, there)]
            assert bool(np.allclose(*positions)) is not moves

    def test_the_conversation_counts_where_the_name_says_so(self, make, catalog):
        short, long = Dialogue("newer"), Dialogue("newer", turns=(Said("a comedy", ("3",)),))
        for name, moves in (("encoder_utterance", False), ("encoder_conversation", True)):
            positions = [self.answer(make, catalog, name, d).position for d in (short, long)]
            assert bool(np.allclose(*positions)) is not moves

    def test_the_likelihood_of_a_text_written_out(self, make, catalog):
        system = make("llm_reranker")
        system.fit(catalog)
        model, tokenizer = system.model.model, system.model.renderer.tokenizer
        prefix, texts = tokenizer("what next")["input_ids"], ["Film 1", "a longer one"]
        slow = []
        for text in texts:
            ids = tokenizer(": " + text, add_special_tokens=False)["input_ids"]
            with torch.inference_mode():
                hidden = model(input_ids=torch.tensor([prefix + ids])).last_hidden_state[0]
            logits = (hidden @ model.get_input_embeddings().weight.T).log_softmax(-1)
            told = [float(logits[len(prefix) + n - 1, token]) for n, token in enumerate(ids)]
            slow.append(sum(told) / len(told))
        assert system.log_likelihoods(prefix, texts) == pytest.approx(slow, abs=1e-4)

    def test_a_model_with_another_output_layer_is_refused(self, make, catalog, parts):
        parts.backend.model.config.tie_word_embeddings = False
        with pytest.raises(Unsuited, match="output layer"):
            open_system("llm_reranker", parts).fit(catalog)


class TestTalkWalk:
    def test_a_live_session_is_the_engine_s(self, make, catalog, recommender):
        system = make("talkwalk")
        system.fit(catalog)
        engine = recommender.session(user={"age": 25.0}, history=["3"])
        told = ()
        for text in ("a comedy", "older", "newer", "go back"):
            answer = system.answer(Dialogue(text, {"age": 25.0}, ("3",), told), 4)
            turn = engine.say(text, k=4)
            assert answer.ids == tuple(item.id for item in turn.items)
            assert answer.position == pytest.approx(turn.position, abs=1e-5)
            told = (*told, Said(text, answer.ids))

    def test_turns_that_others_answered_are_told_as_such(self, make, catalog, recommender):
        told = (Said("a comedy", ("5", "6")), Said("older", ("7",)))
        system = make("talkwalk")
        system.fit(catalog)
        for number in range(3):  # turn by turn, as a dialogue on file is read
            texts = ("a comedy", "older", "newer")
            answer = system.answer(Dialogue(texts[number], history=("3",), turns=told[:number]), 4)
        engine = recommender.session(history=["3"])
        for turn in told:
            engine.tell(turn.text, list(turn.shown))
        assert answer.position == pytest.approx(engine.say("newer", k=4).position, abs=1e-5)

    def test_words_that_nothing_was_shown_for_are_not_lost(self, make, catalog, recommender):
        system = make("talkwalk")
        system.fit(catalog)
        answer = system.answer(Dialogue("newer", turns=(Said("hello there", ()), Said("a comedy", ()))), 4)
        assert answer.position == pytest.approx(recommender.recommend("hello there a comedy newer").position, abs=1e-5)

    def test_a_bundle_for_other_attributes_is_refused(self, make, catalog):
        schema = Schema.from_dict({"domain": "movies", "items": {"title": {"kind": "text"}}})
        with pytest.raises(Unsuited, match="trained for item attributes"):
            make("talkwalk").fit(Catalog(schema, catalog.items[["title"]]))


class TestDocumentation:
    def test_the_class_has_under_thirty_lines(self, repository):
        lines = page_code(repository)[0].split("class ")[1].strip().splitlines()
        assert len(lines) < 30

    def test_the_example_hears_decades(self, make, catalog):
        system = make(DOCUMENTED)
        system.fit(catalog)
        years = catalog.items["year"]
        some = next(int(y // 10 % 10) for y in years)
        asked = system.answer(Dialogue(f"from the {some}0s"), 1).ids
        assert years[asked[0]] // 10 == 190 + some

    def test_its_command_names_systems_that_exist(self, repository):
        command = page_code(repository, "sh")[0]
        names = re.search(r"systems=\[(.*?)\]", command)[1].split(",")
        assert names[0] == "decades:Decades" and set(names[1:]) <= set(SYSTEMS)

    @pytest.mark.parametrize("name", ["bm52", "no.such.place"])
    def test_a_misspelt_name_says_so(self, parts, name):
        with pytest.raises(ValueError, match=f"unknown system '{name}'"):
            open_system(name, parts)


class TestProtocol:
    def test_broken_answers_are_refused(self, catalog):
        system = open_system("random", Parts("tiny"))
        for ids, said in ((("1", "1"), "different ids"), (("1", "2", "3"), "at most 2"), (("x",), "unknown item id")):
            with pytest.raises(ValueError, match=said):
                check_ids(system, ids, catalog, 2)

    def test_what_a_dialogue_says_of_itself(self):
        told = (Said("a", ("1", "2"), named=("9",)), Said("b", ("3", "4"), liked=("4",), disliked=("3",), reply="c"))
        dialogue = Dialogue("d", history=("7", "8"), turns=told)
        assert dialogue.seen == {"1", "2", "9", "3", "4", "7", "8"}
        assert dialogue.stand == "4"
        assert dialogue.fond == ("7", "8", "9", "1", "4")
        assert dialogue.words == ("a", "b", "c", "d")
        assert Dialogue("d", history=("7", "8")).stand == "8"
        assert Dialogue("d", turns=told, named=("5",)).stand == "5"
        assert Dialogue("d").stand is None
