"""Several processes that train one model together, started by torchrun; one process is the simple case of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import nn


@dataclass(frozen=True, slots=True)
class Processes:
    """Which process this is, and of how many.

    Attributes:
        rank: 0 for the one that writes files.
        count: 1 where nothing is distributed.
    """

    rank: int = 0
    count: int = 1

    @classmethod
    def join(cls, device: torch.device) -> Processes:
        """Join the others if torchrun started this process (it sets RANK and WORLD_SIZE)."""
        if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
            return cls()
        if not dist.is_initialized():
            if device.type == "cuda":
                torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))  # from here on "cuda" is this process's own GPU
            dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
        return cls(dist.get_rank(), dist.get_world_size())

    @property
    def writes(self) -> bool:
        """Whether this process writes checkpoints and figures."""
        return self.rank == 0

    @contextmanager
    def first_alone(self) -> Iterator[None]:
        """The first process runs the block before the others do: what it leaves in a cache, they find there."""
        if self.count > 1 and not self.writes:
            dist.barrier()
        yield
        if self.count > 1 and self.writes:
            dist.barrier()

    def share(self, size: int) -> slice:
        """This process's part of a batch of `size` that all drew alike.

        Raises:
            ValueError: If the batch cannot be shared evenly.
        """
        if size % self.count:
            raise ValueError(f"batch_size must be a multiple of the {self.count} processes, got {size}")
        part = size // self.count
        return slice(self.rank * part, (self.rank + 1) * part)

    def average_gradients(self, module: nn.Module) -> None:
        """Replace every gradient by its mean over the processes.

        DistributedDataParallel would do the same, but only for a module whose single forward makes the loss.
        """
        if self.count == 1:
            return
        for parameter in module.parameters():
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            dist.all_reduce(parameter.grad)
            parameter.grad /= self.count

    def agree(self, value: float) -> float:
        """The first process's value, so that all take the same decision."""
        if self.count == 1:
            return value
        shared = [value]
        dist.broadcast_object_list(shared, src=0)
        return shared[0]
