"""`make quickstart`: one person, four turns, the last a change of mind, on real films."""

from __future__ import annotations

import textwrap
import time

from talkwalk import Recommender, Turn

USER = {"age": 25, "gender": "F", "occupation": "student"}
TURNS = (
    "I'm in the mood for a gentle comedy",
    "more like that",
    "ok now something to wake me up, a really scary horror film",
    "go back",
)


def show(turn: Turn) -> None:
    """The words, the first three films, why, and how long it took."""
    print(f"\nYou: {turn.text}")
    for item in turn.items[:3]:
        film = item.metadata
        genres = ", ".join(film.get("genre", []))
        print(
            f"  {item.id:>5}  {film['title'][:38]:<38}  {film.get('year', 0):.0f}  {genres[:30]:<30}  "
            f"rating {film['rating']:.1f}  score {item.score:.2f}"
        )
    milliseconds = {stage: f"{1000 * seconds:.0f}" for stage, seconds in turn.timings.items()}
    print(f"  {turn.explain()}")
    print(f"  {1000 * sum(turn.timings.values()):.0f} ms ({', '.join(f'{n} {t}' for n, t in milliseconds.items())})")


def main() -> None:
    """Say four things and show what comes back."""
    start = time.perf_counter()
    rec = Recommender.from_pretrained("movielens-100k")
    print(f"TalkWalk, {len(rec.catalog)} films, language model {rec.bundle.llm.name}.")
    print(f"Loaded in {time.perf_counter() - start:.1f} s. Profile: {', '.join(f'{k} {v}' for k, v in USER.items())}.")
    session = rec.session(user=USER)
    for text in TURNS:
        show(session.say(text))
    print("\nThis is what the language model read; it never saw an id:")
    prompt = rec.backend.renderer.tokenizer.decode(session.prompt.ids)
    print(textwrap.indent(prompt, "  | ", lambda line: bool(line.strip())))


if __name__ == "__main__":
    main()
