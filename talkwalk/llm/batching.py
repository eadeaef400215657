"""What arrives together is computed together."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Generic, TypeVar

MOST = 32  # requests in one batch

Request = TypeVar("Request")
Result = TypeVar("Result")


class _Ticket(Generic[Request, Result]):
    """A request and, once it is done, its result or what went wrong."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.result: list[Result] = []  # one result, so that None may be one
        self.error: Exception | None = None

    @property
    def done(self) -> bool:
        return bool(self.result) or self.error is not None


class BatchQueue(Generic[Request, Result]):
    """Answers requests from many threads in batches, without a thread of its own and without waiting for company.

    The first thread to come runs its request at once; those that come meanwhile gather, and the next one to get its
    turn runs them all ("flat combining", Hendler et al. 2010). A lone request is never delayed, and the busier it is,
    the larger the batches.

    Args:
        run: Answers a batch, one result per request in their order; never called twice at once.
        most: Largest batch.
    """

    def __init__(self, run: Callable[[Sequence[Request]], Sequence[Result]], *, most: int = MOST) -> None:
        if most < 1:
            raise ValueError(f"most must be at least 1, got {most}")
        self._run, self._most = run, most
        self._waiting: deque[_Ticket[Request, Result]] = deque()
        self._turn = Lock()

    def ask(self, request: Request) -> Result:
        """The request's result; an exception of `run` that this request causes is raised here and nowhere else."""
        ticket: _Ticket[Request, Result] = _Ticket(request)
        self._waiting.append(ticket)
        while not ticket.done:
            with self._turn:
                if not ticket.done:
                    self._run_next(ticket)
        if ticket.error is not None:
            raise ticket.error
        return ticket.result[0]

    def _run_next(self, own: _Ticket[Request, Result]) -> None:
        batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), self._most))]
        try:
            self._fill(batch)
        finally:  # after a KeyboardInterrupt in this thread the others go on, and nobody asks for it any more
            self._waiting.extendleft(t for t in reversed(batch) if not t.done and t is not own)

    def _fill(self, batch: Sequence[_Ticket[Request, Result]]) -> None:
        try:
            for ticket, result in zip(batch, self._run([t.request for t in batch]), strict=True):
                ticket.result.append(result)
        except Exception as error:  # whatever it is, it belongs to the thread that asked
            if len(batch) == 1:
                batch[0].error = error
            else:  # find out whose fault it is
                for ticket in batch:
                    self._fill([ticket])
