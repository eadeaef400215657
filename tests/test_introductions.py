"""People who say what they like: what is told, and what of it is asked for."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from talkwalk.config import WalksConfig
from talkwalk.projection.introductions import FAVOURITES, introductions, taste_text
from talkwalk.projection.steps import StepKind, names_in
from talkwalk.projection.walks import Walker

TASTES = ("I love {likes}.", "The last ones I enjoyed: {titles}!", "{likes} mostly, and {titles}.")


@pytest.fixture
def walker(catalog, descriptions, language) -> Walker:
    told = dataclasses.replace(language, tastes=TASTES)
    return Walker(catalog, descriptions, told, WalksConfig(simulated=1, real=0, test=1))


def test_an_introduction_is_one_wish_and_asks_for_what_comes_after_it(walker):
    walks = introductions(walker, 60, np.random.default_rng(0))
    assert len(walks) == 60
    refused = asked = silent = 0
    for walk in walks:
        (step,) = walk.steps
        assert walk.user is None and walk.history == () and step.kind is StepKind.WISH
        assert "{" not in step.utterance
        named = names_in(walker.row_of(step.target).get("genre"))
        assert not {value for _, value in step.without} & set(named)
        refused, asked = refused + bool(step.without), asked + bool(step.asked)
        silent += not step.without and not step.asked
        assert not (step.without and step.asked)
    assert min(refused, asked, silent) >= 10


def test_a_request_stands_in_a_sentence_of_its_own(walker):
    for walk in introductions(walker, 30, np.random.default_rng(1)):
        (step,) = walk.steps
        *told, _request = step.utterance.rstrip(".!?").split(". ")
        if step.asked or step.without:
            assert told, step.utterance


def test_what_is_liked_is_told_in_the_words_of_the_language(walker):
    liked, rng = walker.ids[:FAVOURITES], np.random.default_rng(2)
    texts = [taste_text(walker, liked, rng) for _ in range(40)]
    names = {n for v, names in walker.asking.language.categories["genre"].names.items() for n in (v, *names)}
    titles = {str(walker.row_of(i)["title"]) for i in liked}
    assert any(title in text for text in texts for title in titles)
    assert any(name in text for text in texts for name in names)


def test_a_language_without_words_for_tastes_has_no_introductions(catalog, descriptions, language):
    walker = Walker(catalog, descriptions, language, WalksConfig(simulated=1, real=0, test=1))
    assert introductions(walker, 5, np.random.default_rng(0)) == []
