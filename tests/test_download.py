"""Archives from a server that is a folder on this machine."""

from __future__ import annotations

import hashlib
import zipfile

import pytest

from talkwalk.datasets import download as module
from talkwalk.datasets.download import ARCHIVES, Archive, download


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Publishes ml-1m.zip, without a known hash, at a file:// address."""
    path = tmp_path / "server" / "ml-1m.zip"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("ml-1m/", "")
        archive.writestr("ml-1m/ratings.dat", "1::2::3::4\n")
        archive.writestr("../../outside.txt", "no path leads out")
    monkeypatch.setitem(ARCHIVES, "ml-1m", Archive(path.as_uri()))
    return path


def md5(path):
    return hashlib.md5(path.read_bytes()).hexdigest()


def publish_md5(path, text):
    path.with_name(f"{path.name}.md5").write_text(text)


@pytest.mark.parametrize("text", ["MD5 (ml-1m.zip) = {}\n", "{}  ml-1m.zip\n", "{}"])
def test_the_hash_beside_the_archive(server, text):
    publish_md5(server, text.format(md5(server)))
    folder = download("ml-1m")
    assert sorted(p.name for p in folder.iterdir()) == ["outside.txt", "ratings.dat"]
    assert (folder / "ratings.dat").read_text() == "1::2::3::4\n"
    assert [p.name for p in folder.parent.iterdir()] == ["ml-1m"]


def test_a_known_hash_needs_no_other(server, monkeypatch):
    monkeypatch.setitem(ARCHIVES, "ml-1m", Archive(server.as_uri(), md5(server)))
    assert (download("ml-1m") / "ratings.dat").is_file()


def test_it_is_downloaded_once(server, monkeypatch):
    publish_md5(server, md5(server))
    first = download("ml-1m")
    server.unlink()
    assert download("ml-1m") == first


@pytest.mark.parametrize("pinned", [True, False])
def test_another_file_is_refused(server, monkeypatch, pinned):
    if pinned:
        monkeypatch.setitem(ARCHIVES, "ml-1m", Archive(server.as_uri(), "0" * 32))
    publish_md5(server, "0" * 32)
    with pytest.raises(ValueError, match=rf"ml-1m.zip must have the MD5 {'0' * 32}, got {md5(server)}"):
        download("ml-1m")
    assert not (module.cache_folder() / "downloads" / "ml-1m").exists()


def test_a_page_instead_of_a_hash(server):
    publish_md5(server, "<html>not found</html>")
    with pytest.raises(ValueError, match="must hold an MD5, got '<html>"):
        download("ml-1m")


def test_no_zip_is_named(server):
    server.write_bytes(b"<html>")
    publish_md5(server, md5(server))
    with pytest.raises(ValueError, match=r"ml-1m.zip cannot be unpacked"):
        download("ml-1m")
    assert not (module.cache_folder() / "downloads" / "ml-1m").exists()


def test_without_a_network_path_is_named(server):
    server.unlink()
    with pytest.raises(ConnectionError, match=r"ml-1m.zip cannot be downloaded: .*with path=FOLDER"):
        download("ml-1m")


def test_a_server_that_is_not_there(monkeypatch):
    monkeypatch.setitem(ARCHIVES, "ml-1m", Archive("http://127.0.0.1:9/ml-1m.zip", "0" * 32))
    with pytest.raises(ConnectionError, match=r"http://127.0.0.1:9/ml-1m.zip cannot be downloaded"):
        download("ml-1m")


def test_unknown_archives_are_named():
    with pytest.raises(ValueError, match="unknown archive 'ml-2m'; did you mean 'ml-"):
        download("ml-2m")
