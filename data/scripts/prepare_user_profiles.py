"""Add or replace users of a catalogue folder.

python data/scripts/prepare_user_profiles.py catalog=FOLDER path=FILE id=user_id out=FOLDER
python data/scripts/prepare_user_profiles.py dataset=movielens-1m catalog=FOLDER path=users.dat out=FOLDER
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import hydra
import pandas as pd
from omegaconf import DictConfig

from talkwalk.config import CONFIG_DIR, UserProfilesConfig, register, to_object
from talkwalk.datasets.generic import read_table, typed_rows
from talkwalk.datasets.movielens import frequencies
from talkwalk.datasets.movielens_1m import movielens_1m_users
from talkwalk.index.catalog import Catalog, check_target
from talkwalk.schema import unknown
from talkwalk.splits import Split

DATASETS = ("generic", "movielens-1m")


def with_users(catalog: Catalog, profiles: pd.DataFrame) -> Catalog:
    """A catalogue with `profiles`, typed and indexed by id, added; a user with the same id is replaced."""
    kept = catalog.users.drop(index=[i for i in profiles.index if i in catalog.users.index])
    tables = [t.astype(object) for t in (kept, profiles) if len(t)]
    users = pd.concat(tables).reindex(columns=list(catalog.schema.users)).infer_objects()
    fitted = catalog.schema.fit(pd.DataFrame(), users).users  # the items' own ranks stay as they are
    schema = dataclasses.replace(catalog.schema, users=fitted)
    return Catalog(schema, catalog.items, users, catalog.interactions, catalog.evaluation_only)


def movielens_profiles(path: str, catalog: Catalog) -> pd.DataFrame:
    """Profiles of users.dat; how often they watch comes from the catalogue's interactions, if it has any."""
    profiles = movielens_1m_users(path)
    if catalog.interactions is not None and "split" in catalog.interactions:
        train = catalog.interactions[catalog.interactions["split"] == Split.TRAIN.value]
        given = train["user_id"].value_counts().reindex(profiles.index).fillna(0)
        profiles = profiles.assign(viewing_frequency=frequencies(given))
    return profiles


def prepare(config: UserProfilesConfig) -> Catalog:
    """Read the table and write `config.out`.

    Raises:
        ValueError: If the dataset is unknown, the schema knows no user attributes, or the table none of them.
    """
    if config.dataset not in DATASETS:
        raise ValueError(unknown("dataset", config.dataset, DATASETS))
    check_target(Path(config.out))
    catalog = Catalog.load(config.catalog)
    if not catalog.schema.users:
        raise ValueError(
            f"the schema of {config.catalog} has no user attributes: add a `users:` block to its schema.yaml"
        )
    if config.dataset == "movielens-1m":
        profiles = movielens_profiles(config.path, catalog)
    else:
        profiles = typed_rows(read_table(config.path), catalog.schema.users, config.id, where=config.path)
    result = with_users(catalog, profiles)
    result.save(config.out)
    return result


@hydra.main(version_base="1.3", config_path=CONFIG_DIR, config_name="user_profiles")
def main(cfg: DictConfig) -> None:
    """Prepare as the config says."""
    config: UserProfilesConfig = to_object(cfg)
    print(f"{prepare(config)!r} is in {config.out}")


register()
if __name__ == "__main__":
    main()
