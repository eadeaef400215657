"""New wordings by a language model, judged by a sentence encoder: what both generating scripts share.

Every source is done once: its line in the provenance file says what was accepted and what was not, an interrupted run
goes on behind the last line, and the YAML is made from these lines.

The judge compares topics, not truth: it lets a wording pass that turns its source around ("more talk than fights"), and
a small model such as smollm2-135m writes many odd ones. Use a strong model, and read the file before training on it.
"""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from os import environ
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import yaml
from tqdm import tqdm

from talkwalk.bands import Band
from talkwalk.config import GenerateConfig
from talkwalk.contrastive.descriptions import ByValue
from talkwalk.contrastive.text_encoder import SentenceEncoder
from talkwalk.files import atomic_file
from talkwalk.schema import Attribute, Kind
from talkwalk.splits import Split, split_of, unit_hash

MAX_TOKENS = 40
SHOTS = 4
MIN_DISTINCT = 0.7  # share of different words in a wording; below it a small model turns in circles
TIMEOUT = 120.0  # seconds for one answer of an endpoint
API_KEY = "TALKWALK_API_KEY"  # environment variable with the endpoint's key, where it wants one

Message = dict[str, str]


class ValueKey(NamedTuple):
    """An attribute and the name or range of one of its values."""

    attribute: str
    value: str


@dataclass(frozen=True, slots=True)
class Source:
    """What a new wording must mean.

    Attributes:
        values: The described values; several for a combination.
        wording: What the language model is given.
        shots: Pairs of what it could be given and what it should answer.
    """

    values: tuple[ValueKey, ...]
    wording: str
    shots: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """A line of the provenance file: one source, done."""

    values: tuple[ValueKey, ...]
    source: str
    model: str
    accepted: tuple[str, ...]
    rejected: tuple[str, ...]


class Generator(Protocol):
    """Writes candidates."""

    name: str

    def write(self, messages: Sequence[Message], count: int, *, seed: int) -> list[str]:
        """`count` answers to a chat, or fewer."""
        ...


class LocalGenerator:
    """A language model on this machine, with its output layer.

    Args:
        name: See `talkwalk.llm.models.locate`.
        temperature: Of the sampling.
        device: Torch device; "auto" takes CUDA where there is one.
    """

    def __init__(self, name: str, *, temperature: float, device: str = "auto") -> None:
        from transformers import AutoModelForCausalLM, AutoTokenizer
        from transformers.utils import logging as transformers_logging

        from talkwalk.llm.language_model import compute_dtype
        from talkwalk.llm.models import locate
        from talkwalk.modules import pick_device

        transformers_logging.disable_progress_bar()
        folder, place = locate(name), pick_device(device)
        self.name, self._temperature = name, temperature
        self._tokenizer: Any = AutoTokenizer.from_pretrained(folder)
        model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=compute_dtype(place))
        self._model = model.to(place).eval()

    def write(self, messages: Sequence[Message], count: int, *, seed: int) -> list[str]:
        """Answers that came to their end within 40 tokens."""
        import torch

        torch.manual_seed(seed)
        chat = self._tokenizer.apply_chat_template(
            list(messages), add_generation_prompt=True, return_tensors="pt", return_dict=True
        ).to(self._model.device)
        with torch.inference_mode():
            output = self._model.generate(
                **chat,
                max_new_tokens=MAX_TOKENS,
                do_sample=True,
                temperature=self._temperature,
                num_return_sequences=count,
                pad_token_id=self._tokenizer.eos_token_id,
            )
        answers = output[:, chat["input_ids"].shape[1] :]
        ended = (answers == self._tokenizer.eos_token_id).any(dim=1).tolist()
        return [self._tokenizer.decode(a, skip_special_tokens=True) for a, e in zip(answers, ended, strict=True) if e]


class EndpointGenerator:
    """An OpenAI-compatible server, such as vLLM or llama.cpp.

    Args:
        name: The server's name for the model.
        endpoint: Base address, such as http://localhost:8000/v1.
        temperature: Of the sampling.
    """

    def __init__(self, name: str, endpoint: str, *, temperature: float) -> None:
        if not endpoint.startswith(("http://", "https://")):
            raise ValueError(f"endpoint must be an http address such as http://localhost:8000/v1, got {endpoint!r}")
        self.name, self._temperature = name, temperature
        self._url = f"{endpoint.rstrip('/')}/chat/completions"

    def write(self, messages: Sequence[Message], count: int, *, seed: int) -> list[str]:
        """One request per answer: not every server knows the field `n`."""
        return [self._answer(messages, seed + i) for i in range(count)]

    def _answer(self, messages: Sequence[Message], seed: int) -> str:
        body = {
            "model": self.name,
            "messages": list(messages),
            "temperature": self._temperature,
            "max_tokens": MAX_TOKENS,
            "seed": seed,
        }
        headers = {"Content-Type": "application/json"}
        if environ.get(API_KEY):
            headers["Authorization"] = f"Bearer {environ[API_KEY]}"
        request = urllib.request.Request(self._url, json.dumps(body).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
                answer = json.load(response)
            return str(answer["choices"][0]["message"]["content"])
        except (urllib.error.URLError, TimeoutError) as error:
            raise ConnectionError(f"{self._url} does not answer: {error}") from error
        except (json.JSONDecodeError, KeyError, IndexError, TypeError) as error:
            raise ValueError(f"{self._url} did not answer with a chat completion: {error!r}") from error


def open_generator(config: GenerateConfig) -> Generator:
    """The endpoint where one is given, else the local model."""
    if config.endpoint:
        return EndpointGenerator(config.model, config.endpoint, temperature=config.temperature)
    return LocalGenerator(config.model, temperature=config.temperature, device=config.device)


class Judge:
    """Compares sentences with the mean of every value's wordings.

    The mean was the best of four comparisons when the movies' hand-written wordings were left out one by one and
    assigned back: right for 0.76 of the item and 0.79 of the user wordings, against 0.63 and 0.56 for the single
    nearest wording.

    Args:
        wordings: What a sentence may mean.
        attributes: Their kinds; ranges that overlap are no rivals.
        encoder: Embeds sentences.
        margin: By how much the cosine with the own value must exceed every rival's.
    """

    def __init__(
        self, wordings: ByValue, attributes: Mapping[str, Attribute], encoder: SentenceEncoder, *, margin: float = 0.0
    ) -> None:
        described = {ValueKey(a, v): words for a, values in wordings.items() for v, words in values.items() if words}
        if not described:
            raise ValueError("there must be wordings to compare with, got none")
        self.keys, self._attributes, self._encoder, self.margin = list(described), attributes, encoder, margin
        self._row = {key: i for i, key in enumerate(self.keys)}
        self._means = _unit(np.stack([_unit(encoder.encode(list(words))).mean(axis=0) for words in described.values()]))

    def accepts(self, candidates: Sequence[str], values: Sequence[ValueKey]) -> list[bool]:
        """Whether each candidate is nearer to all of `values` than to their rivals.

        The rivals of one value are all others; of a combination, the other values of its own attributes, because its
        parts pull a sentence towards everything that goes with them.
        """
        if not candidates:
            return []
        cosines = _unit(self._encoder.encode(list(candidates))) @ self._means.T  # (candidates, values)
        good = np.ones(len(candidates), dtype=bool)
        for own in values:
            rivals = [i for i, key in enumerate(self.keys) if self._is_rival(key, own, values)]
            if rivals:
                good &= cosines[:, self._row[own]] > cosines[:, rivals].max(axis=1) + self.margin
        return [bool(g) for g in good]

    def _is_rival(self, key: ValueKey, own: ValueKey, values: Sequence[ValueKey]) -> bool:
        if key in values or (len(values) > 1 and key.attribute != own.attribute):
            return False
        attribute = self._attributes[own.attribute]
        if key.attribute != own.attribute or attribute.kind is not Kind.ORDERED:
            return True
        (low, high), (start, end) = (Band.parse(k.value).units(attribute) for k in (key, own))
        return high <= start or end <= low


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


LIST_MARK = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s+")


def clean(answer: str, *, max_words: int) -> str | None:
    """The wording in a model's answer, or None if it is empty, too long, or turns in circles."""
    line = next((line for line in answer.splitlines() if line.strip()), "")
    text = LIST_MARK.sub("", line).strip().strip("\"'“”‘’`").strip().rstrip(".").strip()
    words = re.findall(r"\w+", text.lower())
    if not words or len(words) > max_words or text.endswith(":") or len(set(words)) < MIN_DISTINCT * len(words):
        return None
    return text


class Paraphraser:
    """Asks, cleans and judges.

    Args:
        generator: Writes candidates.
        judge: Accepts or rejects them.
        config: How many, how long, and which share of wordings is held out.
        taken: Wordings that exist already, held-out ones included.
    """

    def __init__(self, generator: Generator, judge: Judge, config: GenerateConfig, taken: Iterable[str]) -> None:
        self.generator, self.judge, self.config = generator, judge, config
        self._taken = {wording.lower() for wording in taken}

    def run(self, source: Source, task: str) -> Record:
        """One source; what is accepted is never accepted again."""
        messages = [{"role": "system", "content": task}]
        for asked, answered in source.shots:
            messages += [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]
        messages.append({"role": "user", "content": source.wording})
        seed = int(unit_hash(f"{self.config.seed}:{source.values}:{source.wording}") * 2**31)
        answers = self.generator.write(messages, self.config.candidates, seed=seed)
        found = [text for a in answers if (text := clean(a, max_words=self.config.max_words)) and self._is_new(text)]
        candidates = list({text.lower(): text for text in found}.values())
        verdicts = self.judge.accepts(candidates, source.values)
        accepted = tuple(c for c, good in zip(candidates, verdicts, strict=True) if good)
        rejected = tuple(c for c, good in zip(candidates, verdicts, strict=True) if not good)
        self._taken.update(wording.lower() for wording in accepted)
        return Record(source.values, source.wording, self.generator.name, accepted, rejected)

    def _is_new(self, text: str) -> bool:
        """Not known, and not one that the hash would put into the test part: that stays hand-written."""
        return text.lower() not in self._taken and is_training(text, self.config)


def is_training(wording: str, config: GenerateConfig) -> bool:
    """Whether the hash assigns the wording to the training part."""
    return split_of(wording, test=config.holdout_wordings, valid=config.holdout_valid) is Split.TRAIN


def provenance_file(out: Path) -> Path:
    """Beside the YAML."""
    return out.with_suffix(".provenance.jsonl")


def read_provenance(path: Path) -> list[Record]:
    """The finished lines; a last line that an interruption tore is cut off in the file."""
    if not path.is_file():
        return []
    text = path.read_text()
    whole = text[: text.rfind("\n") + 1]
    records = []
    for number, line in enumerate(whole.splitlines(), start=1):
        try:
            data = json.loads(line)
            values = tuple(ValueKey(*value) for value in data["values"])
            accepted, rejected = tuple(data["accepted"]), tuple(data["rejected"])
            records.append(Record(values, data["source"], data["model"], accepted, rejected))
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is damaged in line {number}: {error!r}") from error
    if whole != text:
        with atomic_file(path) as temporary:
            temporary.write_text(whole)
    return records


def generate(
    sources: Sequence[Source],
    config: GenerateConfig,
    *,
    task: str,
    make: Callable[[Sequence[Record]], Paraphraser],
    body: Callable[[Sequence[Record]], dict[str, Any]],
) -> list[Record]:
    """Do what the provenance file does not have yet, and write the YAML.

    Args:
        sources: All of them.
        config: Where to write, and how much in this run.
        task: Tells the language model what to do.
        make: Builds the paraphraser, given what was done before; not called when nothing is left.
        body: Turns everything done into a description file.

    Raises:
        ValueError: If there are no sources.
    """
    if not sources:
        raise ValueError(f"{config.descriptions} has no training wordings to start from for {config.catalog}")
    out = Path(config.out)
    records = read_provenance(provenance_file(out))
    done = {(r.values, r.source) for r in records}
    left = [s for s in sources if (s.values, s.wording) not in done]
    left = left[: config.limit or None]
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        if left:
            paraphraser = make(records)
            with provenance_file(out).open("a") as lines:
                for source in tqdm(left, "writing", unit="source"):
                    records.append(paraphraser.run(source, task))
                    lines.write(json.dumps(asdict(records[-1]), ensure_ascii=False) + "\n")
                    lines.flush()
    finally:  # an interrupted run keeps what it has
        if records:
            write_yaml(out, body(records), records)
    return records


def write_yaml(out: Path, body: Mapping[str, Any], records: Sequence[Record]) -> None:
    """A description file whose header says where it comes from; no blank line may stand before `domain:`."""
    models = ", ".join(sorted({r.model for r in records}))
    header = f"# GENERATED wordings, by {models}; not written by people. Sources: {provenance_file(out).name}\n"
    with atomic_file(out) as temporary:
        temporary.write_text(header + yaml.safe_dump(body, sort_keys=False, allow_unicode=True, width=110))


def report(records: Sequence[Record], config: GenerateConfig) -> str:
    """One line of what was made."""
    accepted, rejected = (sum(len(getattr(r, n)) for r in records) for n in ("accepted", "rejected"))
    return f"{accepted} wordings from {len(records)} sources ({rejected} candidates rejected) are in {config.out}"
