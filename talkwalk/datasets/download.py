"""Archives from the publisher, checked against their hash before anything reads them."""

from __future__ import annotations

import hashlib
import logging
import re
import shutil
import tempfile
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile, ZipFile

from talkwalk.files import atomic_folder, cache_folder
from talkwalk.schema import unknown

GROUPLENS = "https://files.grouplens.org/datasets/movielens"
SECONDS = 30  # that a server may be silent
CHUNK = 1 << 20
MD5 = re.compile(r"\b[0-9a-f]{32}\b")

log = logging.getLogger(__name__)


class Archive(NamedTuple):
    """A zip file of a publisher.

    Attributes:
        url: Where it is.
        md5: Its hash; empty for the one that the publisher keeps beside the file, as <url>.md5.
    """

    url: str
    md5: str = ""


ARCHIVES: dict[str, Archive] = {
    "ml-100k": Archive(f"{GROUPLENS}/ml-100k.zip", "0e33842e24a9c977be4e0107933c0723"),
    "ml-1m": Archive(f"{GROUPLENS}/ml-1m.zip", "c4d9eecfca2ab87c1945afe126590906"),
    "ml-latest-small": Archive(f"{GROUPLENS}/ml-latest-small.zip"),  # changes from time to time, with its hash
    "ml-25m": Archive(f"{GROUPLENS}/ml-25m.zip", "6b51fb2759a8657d3bfcbfc42b592ada"),
    "ml-32m": Archive(f"{GROUPLENS}/ml-32m.zip"),
}


def download(name: str) -> Path:
    """Folder with the files of an archive, from the user's cache folder or from the publisher.

    Raises:
        ConnectionError: If the publisher cannot be reached.
        ValueError: If the archive is unknown, damaged, or not the one that was published.
    """
    if name not in ARCHIVES:
        raise ValueError(unknown("archive", name, ARCHIVES))
    archive, folder = ARCHIVES[name], cache_folder() / "downloads" / name
    if folder.is_dir():
        return folder
    log.info("downloading %s; its terms of use are in its README", archive.url)
    with tempfile.TemporaryDirectory() as temporary:
        packed = Path(temporary) / f"{name}.zip"
        found = _fetch(archive.url, packed)
        expected = archive.md5 or _published_md5(f"{archive.url}.md5", Path(temporary) / "md5")
        if found != expected:
            raise ValueError(f"{archive.url} must have the MD5 {expected}, got {found}: it is damaged, or has changed")
        with atomic_folder(folder) as unpacked:
            _unpack(packed, unpacked)
    return folder


def _fetch(url: str, target: Path) -> str:
    """Write what `url` holds to `target`; returns its MD5."""
    digest = hashlib.md5(usedforsecurity=False)
    try:
        with urllib.request.urlopen(url, timeout=SECONDS) as answer, target.open("wb") as file:
            while chunk := answer.read(CHUNK):
                digest.update(chunk)
                file.write(chunk)
    except (OSError, HTTPException) as error:  # urllib's own errors are OSErrors
        raise ConnectionError(
            f"{url} cannot be downloaded: {error}. Without a network: unpack the archive yourself, and name its folder "
            "with path=FOLDER"
        ) from error
    return digest.hexdigest()


def _published_md5(url: str, target: Path) -> str:
    _fetch(url, target)
    found = MD5.search(target.read_text(errors="replace").lower())
    if found is None:
        raise ValueError(f"{url} must hold an MD5, got {target.read_text(errors='replace')[:60]!r}")
    return found[0]


def _unpack(packed: Path, folder: Path) -> None:
    """Every file of the archive, by its bare name: no path in it can lead out of `folder`."""
    try:
        with ZipFile(packed) as archive:
            for member in archive.infolist():
                if not member.is_dir():
                    with archive.open(member) as source, (folder / Path(member.filename).name).open("wb") as target:
                        shutil.copyfileobj(source, target)
    except BadZipFile as error:
        raise ValueError(f"{packed.name} cannot be unpacked: {error}") from error
