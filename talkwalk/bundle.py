"""What training writes and the engine reads: one folder of safetensors, JSON and YAML, and no pickle."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from talkwalk.contrastive.descriptions import copy_descriptions
from talkwalk.contrastive.space import Space
from talkwalk.files import atomic_folder, check_only, read_json
from talkwalk.model_card import model_card
from talkwalk.modules import SHORT, load_module, save_module
from talkwalk.projection.anchor_decoder import AnchorDecoder
from talkwalk.projection.certainty import AS_IS, Certainty
from talkwalk.projection.projection_head import AbsoluteHead, AnchoredHead, build_head

FORMAT = 7
SHIPPED = Path(__file__).parent / "bundles"


@dataclass(frozen=True, slots=True)
class LanguageModelId:
    """The language model that a head was trained on.

    Attributes:
        name: What to pass to `LanguageModel.load`.
        revision: Where it came from, such as a GGUF file's name or a Hub commit.
        fingerprint: Of weights, tokenizer, quantisation and prompt format.
    """

    name: str
    revision: str
    fingerprint: str


@dataclass
class Bundle:
    """Everything that inference needs.

    Attributes:
        space: Schema and both encoders.
        head: Projection head.
        decoder: Anchor decoder.
        head_shape: Constructor arguments of the head, and its kind.
        llm: The language model that the head belongs to.
        catalog: Name of the default catalogue.
        configs: Training configs by phase.
        metrics: Figures by phase.
        folder: Where it was loaded from, if it was.
        certainty: How the head's logits become odds that hold on wordings that it never saw.
    """

    space: Space
    head: AbsoluteHead | AnchoredHead
    decoder: AnchorDecoder
    head_shape: dict[str, Any]
    llm: LanguageModelId
    catalog: str
    configs: dict[str, Any]
    metrics: dict[str, Any]
    folder: Path | None = None
    certainty: Certainty = AS_IS

    def save(
        self, folder: str | Path, *, descriptions: Path | None = None, license: str = "apache-2.0", name: str = ""
    ) -> None:
        """Write the folder; it appears whole or not at all.

        Args:
            folder: Target; replaced if it is a bundle.
            descriptions: Folder of description files to keep a copy of; by default those that it was loaded with.
            license: SPDX name for the model card.
            name: What the model card says `Recommender.from_pretrained` opens; by default the last part of `folder`.

        Raises:
            ValueError: If `folder` exists and holds something else than a bundle.
        """
        check_target(Path(folder))
        if descriptions is None and self.folder is not None and (self.folder / "descriptions").is_dir():
            descriptions = self.folder / "descriptions"
        with atomic_folder(Path(folder)) as temporary:
            self.space.save(temporary)
            save_module(self.head, temporary / "projection_head.safetensors", SHORT)
            save_module(self.decoder, temporary / "anchor_decoder.safetensors", SHORT)
            if descriptions is not None:
                copy_descriptions(descriptions, self.space.schema.domain, temporary / "descriptions")
            settings = {
                "format": FORMAT,
                "head": self.head_shape,
                "certainty": self.certainty._asdict(),
                "llm": {
                    "name": self.llm.name,
                    "revision": self.llm.revision,
                    "fingerprint": self.llm.fingerprint,
                },
                "catalog": self.catalog,
                "schema_fingerprint": self.space.schema.fingerprint(),
                "configs": self.configs,
                "metrics": self.metrics,
                "files": {p.relative_to(temporary).as_posix(): _sha(p) for p in _files(temporary)},
            }
            written = json.dumps(settings, indent=2, sort_keys=True) + "\n"
            (temporary / "config.json").write_text(written)
            # of what was written, in its order, so that the card can be made again from it
            card = model_card(json.loads(written), self.space.schema, license, name or Path(folder).name)
            (temporary / "README.md").write_text(card)

    @classmethod
    def load(cls, name: str | Path) -> Bundle:
        """Open a shipped name, a folder, or a Hub repository id.

        Raises:
            FileNotFoundError: If there is no such bundle, or a file of it is missing.
            ValueError: If a file is damaged, or written by a newer TalkWalk.
        """
        folder = find_bundle(name)
        settings = read_json(folder / "config.json")
        if settings.get("format") != FORMAT:
            raise ValueError(
                f"{folder} has bundle format {settings.get('format')!r}, this TalkWalk reads {FORMAT}: "
                "train it again, or install the TalkWalk that wrote it"
            )
        if missing := [key for key in ("files", "head", "llm", "catalog", "configs", "metrics") if key not in settings]:
            raise ValueError(f"{folder / 'config.json'} is damaged: it has no {missing[0]!r}")
        for file, digest in settings["files"].items():
            path = folder / file
            if not path.is_file():
                raise FileNotFoundError(f"no {file} in the bundle {folder}: copy or download it again")
            if _sha(path) != digest:
                raise ValueError(
                    f"{path} is damaged: its contents differ from what was saved; copy or download it again"
                )
        space = Space.load(folder)
        shape = settings["head"]
        head = build_head(
            shape["kind"], shape["input_dim"], shape["dim"], hidden=shape["hidden"], dropout=shape["dropout"],
            categories=len(space.schema.category_values), axes=len(space.schema.ordered),
            ranges=len(space.ranges),
        )  # fmt: skip
        decoder = AnchorDecoder(shape["dim"], space.shape["sentence_dim"])
        load_module(head, folder / "projection_head.safetensors")
        load_module(decoder, folder / "anchor_decoder.safetensors")
        llm = LanguageModelId(**settings["llm"])
        configs, metrics = settings["configs"], settings["metrics"]
        certainty = Certainty.of(settings.get("certainty", {}))  # none of before it was learned
        return cls(space, head, decoder, shape, llm, settings["catalog"], configs, metrics, folder, certainty)


def find_bundle(name: str | Path) -> Path:
    """Folder of a bundle by shipped name, folder, or Hub repository id (downloaded once)."""
    if (Path(name) / "config.json").is_file():
        return Path(name)
    shipped = sorted(p.name for p in SHIPPED.iterdir() if (p / "config.json").is_file()) if SHIPPED.is_dir() else []
    if str(name) in shipped:
        return SHIPPED / str(name)
    if Path(name).is_dir():
        raise FileNotFoundError(f"{name} is not a bundle: it has no config.json")
    text = str(name)
    if text.count("/") != 1 or text.startswith((".", "/")):
        raise FileNotFoundError(f"no bundle {text!r}: it must be a shipped name {shipped}, a folder, or a Hub id")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(text))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise FileNotFoundError(
            f"no bundle {text!r}: not a folder, not shipped {shipped}, and the Hub said {type(error).__name__}"
        ) from error


def check_target(folder: Path) -> None:
    """Raise `ValueError` if the folder, which will be replaced whole, holds anything but a bundle."""
    try:
        settings = read_json(folder / "config.json")
    except (FileNotFoundError, NotADirectoryError, ValueError):
        settings = {}
    ours = {*settings.get("files", {}), "config.json", "README.md"} if "schema_fingerprint" in settings else set()
    check_only(folder, ours, "the bundle")


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file())


def _sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
