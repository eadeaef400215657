"""What the language model is shown: profile, history and the last turns, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from talkwalk.llm.conversation import Conversation, Exchange
from talkwalk.llm.prompt_format import Prompt, PromptRenderer
from talkwalk.llm.prompt_text import item_text, system_text
from talkwalk.schema import Row, Schema

MAX_CHARACTERS = 2000


@dataclass(frozen=True, slots=True)
class ContextLimits:
    """How much of a conversation the language model is shown.

    Attributes:
        turns: Most turns, the current one included.
        tokens: Most tokens; whole turns are dropped, the oldest first, until half of that is free.
        history: Most consumed items that the prompt tells, the last ones.
        characters: Longest text that a person or the application may give in one turn.
    """

    turns: int = 12
    tokens: int = 1024
    history: int = 3
    characters: int = MAX_CHARACTERS

    def __post_init__(self) -> None:
        for name in ("turns", "tokens", "characters"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.history < 0:
            raise ValueError(f"history must not be negative, got {self.history}")


class Built(NamedTuple):
    """A prompt, and the first turn that it tells."""

    prompt: Prompt
    first: int


class PromptBuilder:
    """Builds prompts of one schema for one language model.

    Dropping turns changes the beginning of the prompt, so that the cached states behind it are lost: when the limit is
    passed half of the turns or tokens go at once, and the next ones append again.

    Args:
        schema: What items and people are.
        renderer: Turns conversations into token ids.
        limits: How much is shown.
    """

    def __init__(self, schema: Schema, renderer: PromptRenderer, limits: ContextLimits | None = None) -> None:
        self.schema, self.renderer, self.limits = schema, renderer, limits or ContextLimits()

    def opening(self, user: Row | None, history: Sequence[Row]) -> str:
        """System text of a session."""
        told = history[-self.limits.history :] if self.limits.history else []
        return system_text(self.schema, user, [item_text(row, self.schema) for row in told])

    def answer(self, row: Row) -> str:
        """How a recommended item is told."""
        return item_text(row, self.schema)

    def check_text(self, text: str, *, name: str = "text") -> str:
        """The text without surrounding blanks.

        Raises:
            ValueError: If it is not a string, empty, or too long.
        """
        if not isinstance(text, str):
            raise ValueError(f"{name} must be a string, got {type(text).__name__}")
        if not text.strip():
            hint = "say what you are looking for" if name == "text" else "leave it out instead"
            raise ValueError(f"{name} must not be empty: {hint}")
        if len(text) > self.limits.characters:
            raise ValueError(f"{name} must have at most {self.limits.characters} characters, got {len(text)}")
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"{name} must be valid Unicode, got half a character at {error.start}") from error
        return text.strip()

    def build(self, opening: str, exchanges: Sequence[Exchange], *, first: int = 0) -> Built:
        """The prompt of the turns from `first` on, or of fewer where a limit is passed.

        Args:
            opening: From `opening`.
            exchanges: All turns, the last one without an answer.
            first: First turn shown last time; it moves on when a limit is passed.
        """
        if len(exchanges) - first > self.limits.turns:
            first = len(exchanges) - max(self.limits.turns // 2, 1)
        prompt = self.renderer.render(Conversation(opening, tuple(exchanges[first:])))
        if len(prompt.ids) > self.limits.tokens:
            while len(prompt.ids) > self.limits.tokens // 2 and first < len(exchanges) - 1:
                first += 1
                prompt = self.renderer.render(Conversation(opening, tuple(exchanges[first:])))
        return Built(prompt, first)
