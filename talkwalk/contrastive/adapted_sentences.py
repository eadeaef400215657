"""The sentence encoder, adapted to what people say when they steer, by low-rank additions to its layers."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from talkwalk.contrastive.text_encoder import SentenceEncoder

FILE = "adapted_sentences.safetensors"
ADDED = ("down", "up")  # the layers that `LowRank` adds


class LowRank(nn.Module):
    """A frozen linear layer, and beside it a learned product of two thin ones (LoRA, Hu et al. 2021, arXiv 2106.09685).

    Args:
        layer: The frozen layer; its weights are shared, not copied.
        rank: Width between the thin layers; untrained they add nothing.
    """

    def __init__(self, layer: nn.Linear, rank: int) -> None:
        super().__init__()
        self.layer = layer.requires_grad_(False)
        there = {"device": layer.weight.device, "dtype": layer.weight.dtype}
        self.down = nn.Linear(layer.in_features, rank, bias=False, **there)
        self.up = nn.Linear(rank, layer.out_features, bias=False, **there)
        nn.init.normal_(self.down.weight, std=layer.in_features**-0.5)
        nn.init.zeros_(self.up.weight)

    def forward(self, x: Tensor) -> Tensor:
        """(..., in features) to (..., out features)."""
        added: Tensor = self.up(self.down(x))
        return self.layer(x) + added


class AdaptedSentences(SentenceEncoder):
    """A sentence encoder that shares the weights of a frozen one and adds its own.

    "The beetle, not the lion" lies beside animals for a frozen encoder; one that has been told what such words ask for
    puts it beside "something less famous".

    Args:
        base: The frozen encoder.
        rank: Rank of the additions.
        weights: Additions that `save` wrote; untrained ones when None.
        cache: Folder of the cache; the base's when None.
    """

    def __init__(
        self, base: SentenceEncoder, rank: int, weights: dict[str, Tensor] | None = None, cache: Path | None = None
    ) -> None:
        super().__init__(base.name, device=base.device, cache=cache or base.cache_folder)
        self.rank, self._base, self._given = rank, base, weights

    def load_model(self) -> Any:
        """A copy of the base model's structure with additions, which holds the same tensors.

        Raises:
            ValueError: If the given additions do not fit the base model.
        """
        base = self._base.model
        held = [*base.parameters(), *base.buffers()]
        model = copy.deepcopy(base, {id(tensor): tensor for tensor in held}).requires_grad_(False)
        for name, layer in list(model.named_modules()):
            if isinstance(layer, nn.Linear) and "pooler" not in name:  # whose output no sentence embedding reads
                parent, _, child = name.rpartition(".")
                setattr(model.get_submodule(parent), child, LowRank(layer, self.rank))
        for name, parameter in _added(model) if self._given is not None else ():
            given = (self._given or {}).get(name)
            if given is None or given.shape != parameter.shape:
                got = None if given is None else list(given.shape)
                raise ValueError(
                    f"the additions belong to another sentence encoder than {self.name}: {name} must have the shape "
                    f"{list(parameter.shape)}, got {got}"
                )
            parameter.data = given.to(parameter)
        return model.eval()

    def learn(self, device: torch.device) -> list[nn.Parameter]:
        """Let the additions learn: from now on nothing is cached, and `embed` has gradients and the model's dropout.

        They and the base model, whose weights they share, go to `device`.
        """
        self._frozen = False
        self._base.model.to(device)
        return [parameter for _, parameter in _added(self.model.to(device).train())]

    def freeze(self) -> None:
        """The additions are as they should be, rounded to what `save` keeps."""
        with torch.no_grad():
            for _, parameter in _added(self.model.eval()):
                parameter.copy_(parameter.half())
        self._frozen, self._cache_name = True, ""

    def additions(self) -> dict[str, Tensor]:
        """The additions by name, in half precision."""
        if self._given is not None and self._model is None:
            return self._given
        return {name: parameter.detach().half().cpu().contiguous() for name, parameter in _added(self.model)}

    def cache_name(self) -> str:
        """File name of the cache: the base's, and a hash of the additions."""
        digest = hashlib.sha256()
        for name, tensor in sorted(self.additions().items()):
            digest.update(name.encode() + tensor.numpy().tobytes())
        return f"{super().cache_name()}-adapted-{digest.hexdigest()[:16]}"

    def save(self, folder: Path) -> None:
        """Write the additions, as one safetensors file, into an existing folder."""
        save_file(self.additions(), folder / FILE)

    @classmethod
    def load(cls, folder: Path, base: SentenceEncoder, cache: Path | None = None) -> AdaptedSentences | None:
        """Read what `save` wrote; None where a folder has no additions.

        Args:
            folder: Of a bundle.
            base: The frozen encoder.
            cache: Folder of the cache; the base's when None.

        Raises:
            ValueError: If the file is damaged.
        """
        path = folder / FILE
        if not path.is_file():
            return None
        try:
            weights = load_file(path)
            rank = next(tensor.shape[0] for name, tensor in weights.items() if name.endswith("down.weight"))
        except (SafetensorError, StopIteration) as error:
            raise ValueError(f"{path} is damaged, train or download it again: {error}") from error
        return cls(base, int(rank), weights, cache)


def _added(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """The parameters of the additions, with their names."""
    for name, parameter in model.named_parameters():
        if name.split(".")[-2] in ADDED:
            yield name, parameter
