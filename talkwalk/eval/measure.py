"""Every figure of the benchmark, by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from talkwalk.contrastive.holdout import user_split
from talkwalk.engine.recommender import Recommender
from talkwalk.eval.clusters import spherical_kmeans
from talkwalk.eval.controllability import (
    GRADES,
    diversity_gradient,
    spread,
    steering_entropy_reduction,
    steering_movement,
    steering_precision,
    steering_reversibility,
    turns_to_satisfaction,
)
from talkwalk.eval.efficiency import cold_start_quality, exploration_velocity, first_turn_relevance
from talkwalk.eval.interpretability import (
    axis_directions,
    category_table,
    embedding_space_coherence,
    movement_alignment,
    steering_traceability,
)
from talkwalk.eval.intervals import Interval, bootstrap, bootstrap_mean, point
from talkwalk.eval.live import LiveSessions, play_live
from talkwalk.eval.people import people, rankings
from talkwalk.eval.sanity import coverage, latency, nearest_neighbour_accuracy, next_item_accuracy, turn_seconds
from talkwalk.eval.sessions import RecordedSession
from talkwalk.eval.simulated_user import Voice
from talkwalk.eval.unseen import (
    Unseen,
    Words,
    changes,
    first_turns,
    oracle_shares,
    outcomes,
    read_walks,
    turn_intervals,
    unseen_walks,
)
from talkwalk.splits import Split

Figures = dict[str, Interval]
AXIS_ROWS = 200  # items whose movement gives an attribute's direction
LIVE = "unseen_wordings"  # what people say in live sessions


@dataclasses.dataclass(frozen=True, slots=True)
class Amounts:
    """How much is measured.

    Attributes:
        conversations: Unseen simulated conversations per kind of wordings.
        sessions: Live sessions of every sort.
        users: People for next-item accuracy; 0 takes all.
        clusters: Regions of the space.
        k: Length of the answers.
        seed: Of everything that is drawn.
    """

    conversations: int
    sessions: int
    users: int
    clusters: int
    k: int
    seed: int


def measure(recommender: Recommender, unseen: Unseen, amounts: Amounts) -> Figures:
    """Every figure that the catalogue and the words allow."""
    figures: Figures = {}
    for name, words in unseen.words.items():
        figures |= simulated(recommender, unseen, words, name, amounts)
    figures |= live(recommender, unseen, amounts)
    figures |= space(recommender, amounts)
    return figures | real_people(recommender, unseen, amounts)


def simulated(recommender: Recommender, unseen: Unseen, words: Words, name: str, amounts: Amounts) -> Figures:
    """Unseen conversations in one kind of wordings."""
    k, seed, size = amounts.k, amounts.seed, len(recommender.catalog)
    rng = np.random.default_rng([seed, 1])
    table = read_walks(recommender, words, unseen_walks(recommender, words, unseen, amounts.conversations, rng), rng)
    by_rival = outcomes(recommender, table, k=k)
    figures: Figures = {}
    for rival, outcome in by_rival.items():
        intervals = turn_intervals(outcome, size, k=k, seed=seed)
        figures |= {f"turns/{name}/{rival}/{figure}": interval for figure, interval in intervals.items()}
    shares = oracle_shares(by_rival["talkwalk"], by_rival["oracle"], k=k, seed=seed)
    figures |= {f"turns/{name}/share_of_oracle/{figure}": interval for figure, interval in shares.items()}
    first, shown = first_turns(recommender, table), {n: o.shown for n, o in by_rival.items()}
    rows = changes(table)
    values = {
        f"efficiency/first_turn_relevance/{name}": first_turn_relevance(shown["talkwalk"][first.rows], first.distances),
        f"efficiency/first_turn_relevance/{name}/no_llm": first_turn_relevance(
            shown["no_llm"][first.rows], first.distances
        ),
        f"controllability/steering_precision/{name}": steering_precision(by_rival["talkwalk"].movement),
        f"sanity/top1/{name}": nearest_neighbour_accuracy(shown["talkwalk"][rows], table.item_keys[rows]),
    }
    figures |= means(values, seed)
    figures[f"sanity/coverage/{name}"] = point(coverage(shown["talkwalk"], size), len(table))
    return figures


def live(recommender: Recommender, unseen: Unseen, amounts: Amounts) -> Figures:
    """Sessions with the whole engine, in unseen wordings."""
    rng, words = np.random.default_rng([amounts.seed, 2]), unseen.words[LIVE]
    short = dataclasses.replace(unseen, walks=dataclasses.replace(unseen.walks, turns=1))
    walks = unseen_walks(recommender, words, short, amounts.sessions, rng)
    played = play_live(recommender, walks, Voice(words.language, rng), k=amounts.k)
    figures = controlled(recommender, played, amounts.seed) | explained(recommender, played, amounts)
    seconds = turn_seconds(played.timed())
    for percent in (50, 95):
        figures[f"sanity/p{percent}_seconds"] = latency_interval(seconds, percent, amounts.seed)
    return figures


def controlled(recommender: Recommender, played: LiveSessions, seed: int) -> Figures:
    """What live sessions say about control."""
    items, sessions = recommender.index.vectors(recommender.catalog.ids), [*played.steering, *played.exploring]
    back = steering_reversibility(played.steering)
    sought, idle = (turns_to_satisfaction(s, played.pleasing) for s in (played.seeking, played.idle))
    moved = steering_movement(sessions, recommender.catalog)
    values = {
        "entropy_reduction": steering_entropy_reduction(sessions, items),
        "turns_to_satisfaction": sought.turns,
        "turns_to_satisfaction/without_steering": idle.turns,
        "satisfied": sought.satisfied,
        "satisfied/without_steering": idle.satisfied,
        "diversity_gradient": diversity_gradient(np.array(GRADES), spreads(recommender, played.graded)),
        "steering_precision/live": steering_precision(moved),
        "steering_direction/live": moved.direction,
        "reversibility/cosine": back.cosine,
        "reversibility/returned": back.returned,
    }
    return means({f"controllability/{name}": array for name, array in values.items()}, seed)


def explained(recommender: Recommender, played: LiveSessions, amounts: Amounts) -> Figures:
    """What live sessions say about explanations and about how far people get."""
    catalog, rng = recommender.catalog, np.random.default_rng([amounts.seed, 3])
    items = recommender.index.vectors(catalog.ids)
    centres = spherical_kmeans(items, amounts.clusters, rng).centres
    features = catalog.features()
    rows = rng.choice(len(features), size=min(AXIS_ROWS, len(features)), replace=False)
    directions = axis_directions(recommender.bundle.space.metadata.encode, features[rows], catalog.schema)
    sessions = [*played.steering, *played.exploring]
    values = {
        "interpretability/steering_traceability": steering_traceability(sessions, catalog.schema),
        "interpretability/movement_alignment": movement_alignment(sessions, directions),
        "efficiency/exploration_velocity": exploration_velocity(played.exploring, centres),
        "efficiency/exploration_velocity/without_steering": exploration_velocity(played.idle, centres),
    }
    return means(values, amounts.seed)


def spreads(recommender: Recommender, graded: Sequence[RecordedSession]) -> np.ndarray:
    """Spread of every answer, (sessions, turns)."""
    return np.array([[spread(recommender.index.vectors(turn.shown)) for turn in s.turns] for s in graded])


def space(recommender: Recommender, amounts: Amounts) -> Figures:
    """What the space is like without any conversation."""
    catalog, rng = recommender.catalog, np.random.default_rng([amounts.seed, 4])
    clusters = spherical_kmeans(recommender.index.vectors(catalog.ids), amounts.clusters, rng)
    coherent = embedding_space_coherence(clusters.labels, category_table(catalog), rng)
    names = {"embedding_space_coherence": coherent.matched, "embedding_space_coherence/shuffled": coherent.shuffled}
    return means({f"interpretability/{name}": values for name, values in names.items()}, amounts.seed)


def real_people(recommender: Recommender, unseen: Unseen, amounts: Amounts) -> Figures:
    """Real test interactions: of everybody with their history, and of unseen people without."""
    everybody, rng = people(recommender.catalog), np.random.default_rng([amounts.seed, 5])
    voice = Voice(unseen.words[LIVE].language, rng)
    strangers = [p for p in everybody if p.profile and user_split(p.user_id, unseen.holdout) is Split.TEST]
    if amounts.users and amounts.users < len(everybody):
        chosen = rng.choice(len(everybody), size=amounts.users, replace=False)
        everybody = [everybody[i] for i in sorted(chosen)]
    figures: Figures = {}
    for name, metric, persons, told in (
        ("sanity/next_item", next_item_accuracy, everybody, True),
        ("efficiency/cold_start", cold_start_quality, strangers, False),
    ):
        if not persons:
            continue
        ranked = rankings(recommender, persons, [voice.next().text for _ in persons], told=told)
        for rival, scores in (("", ranked.scores), ("/popularity", ranked.popularity)):
            quality = metric(scores, ranked.targets, ranked.blocked, k=amounts.k)
            values = {f"{name}/{figure}{amounts.k}{rival}": array for figure, array in quality._asdict().items()}
            figures |= means(values, amounts.seed)
    return figures


def means(values: Mapping[str, np.ndarray], seed: int) -> Figures:
    """Mean and interval of every array that is not empty."""
    return {name: bootstrap_mean(array, seed=seed) for name, array in values.items() if len(array)}


def latency_interval(seconds: np.ndarray, percent: float, seed: int) -> Interval:
    """A percentile of the turns' seconds with its interval."""
    return bootstrap(lambda chosen: latency(seconds[chosen], percent=percent), len(seconds), seed=seed)
