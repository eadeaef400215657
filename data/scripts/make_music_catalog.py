"""A catalogue folder of made-up music, with made-up people who listen to it; equal settings give equal files.

python data/scripts/make_music_catalog.py out=FOLDER [tracks=20000] [listeners=600] [seed=0]
"""

from __future__ import annotations

from pathlib import Path

import hydra
from omegaconf import DictConfig

from talkwalk.config import CONFIG_DIR, MusicCatalogConfig, register, to_object
from talkwalk.datasets.synthetic_music import synthetic_music
from talkwalk.index.catalog import Catalog, check_target


def make(config: MusicCatalogConfig) -> Catalog:
    """Draw the catalogue and write `config.out`.

    Raises:
        ValueError: If `out` holds something else than a catalogue.
    """
    check_target(Path(config.out))
    catalog = synthetic_music(config.tracks, listeners=config.listeners, seed=config.seed)
    catalog.save(config.out)
    return catalog


@hydra.main(version_base="1.3", config_path=CONFIG_DIR, config_name="music_catalog")
def main(cfg: DictConfig) -> None:
    """Make as the config says."""
    config: MusicCatalogConfig = to_object(cfg)
    print(f"SYNTHETIC {make(config)!r} is in {config.out}")


register()
if __name__ == "__main__":
    main()
