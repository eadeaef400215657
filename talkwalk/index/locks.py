"""A lock for what many threads read and few write."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition


class ReadWriteLock:
    """Any number of readers at once, or one writer; neither side can be kept waiting for ever.

    A waiting writer goes before readers that come later, and the readers that waited for a writer go before the
    next one. Not re-entrant.
    """

    def __init__(self) -> None:
        self._condition = Condition()
        self._readers = self._waiting_readers = self._waiting_writers = 0
        self._writing = False
        self._turns = 0  # readers that waited for the last writer and are not in yet

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Keep writers out."""
        with self._condition:
            self._waiting_readers += 1
            try:
                while self._writing or (self._waiting_writers and not self._turns):
                    self._condition.wait()
                self._readers += 1
            finally:
                self._waiting_readers -= 1
                self._turns = min(self._turns, self._waiting_readers)
        try:
            yield
        finally:
            with self._condition:
                self._readers -= 1
                if not self._readers:
                    self._condition.notify_all()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Keep everybody else out."""
        with self._condition:
            self._waiting_writers += 1
            try:
                while self._writing or self._readers or self._turns:
                    self._condition.wait()
                self._writing = True
            finally:
                self._waiting_writers -= 1
        try:
            yield
        finally:
            with self._condition:
                self._writing = False
                self._turns = self._waiting_readers
                self._condition.notify_all()
