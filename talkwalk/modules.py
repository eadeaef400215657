"""Torch modules as files, and where they compute."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

SHORT = torch.float16  # of what a bundle holds: half the size, and no figure changes


def save_module(module: nn.Module, path: Path, dtype: torch.dtype = torch.float32) -> None:
    """Write a module as safetensors, its weights in a shorter type if one is given (see `shorten`)."""
    weights = {name for name, _ in module.named_parameters()}
    state = {n: t.to(dtype) if n in weights else t for n, t in module.state_dict().items()}
    save_file({name: tensor.contiguous().cpu() for name, tensor in state.items()}, path)


@torch.no_grad()
def shorten(module: nn.Module, dtype: torch.dtype) -> None:
    """Round the weights to what `dtype` holds, so that what is measured is what is saved."""
    for parameter in module.parameters():
        parameter.copy_(parameter.to(dtype))


def load_module(module: nn.Module, path: Path) -> None:
    """Fill `module` from a safetensors file, strictly, and put it in eval mode."""
    if not path.is_file():
        raise FileNotFoundError(
            f"no {path.name} in {path.parent}: the folder is not complete, train or download it again"
        )
    try:
        module.load_state_dict(load_file(path), strict=True)
    except (SafetensorError, RuntimeError) as error:
        raise ValueError(
            f"{path} is damaged or belongs to another schema or version, train or download it again: {error}"
        ) from error
    module.eval()


def pick_device(name: str) -> torch.device:
    """The named torch device; "auto" is CUDA where there is one, else the CPU."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(name)


def has_bf16(device: torch.device) -> bool:
    """Whether the hardware computes bfloat16 itself; elsewhere it would be slower than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()
