"""Talk to a recommender in the browser: `python -m demo.app [--bundle NAME] [--port N]`."""

from __future__ import annotations

import argparse
import os
from functools import partial
from typing import Any

import pandas as pd

from talkwalk import Recommender, Session, Turn
from talkwalk.engine.senses import SURE

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # before gradio is imported: nothing leaves this machine
import gradio as gr

Messages = list[dict[str, Any]]
SHOWN_IN_CHAT = 3
OFFERED = 3  # other senses of the last words


def profile_controls(rec: Recommender) -> dict[str, Any]:
    """A control per user attribute of the schema."""
    return {
        a.name: gr.Dropdown(list(a.values), label=a.name, value=None) if a.values else gr.Number(None, label=a.name)
        for a in rec.catalog.schema.users.values()
        if a.kind.value in ("category", "ordered")
    }


def table(rec: Recommender, turn: Turn | None) -> pd.DataFrame:
    """The items of a turn with their attributes and scores."""
    rows = [] if turn is None else [{**i.metadata, "score": round(i.score, 3)} for i in turn.items]
    rows = [{n: ", ".join(v) if isinstance(v, list) else v for n, v in row.items()} for row in rows]
    return pd.DataFrame(rows, columns=[*rec.catalog.items.columns, "score"]).round(2)


def senses(turn: Turn | None) -> gr.Radio:
    """What the last words may have meant instead, to choose from; hidden where there is nothing."""
    offered = [] if turn is None else [(sense.words, n) for n, sense in enumerate(turn.otherwise[:OFFERED])]
    label = "Or did you mean" if turn is None or turn.sure >= SURE else "Not sure I got that: did you mean"
    return gr.Radio(offered, value=None, visible=bool(offered), label=label)


def why(turn: Turn | None) -> str:
    """The explanation and the time of each stage."""
    if turn is None:
        return ""
    timings = " · ".join(f"{stage} {1000 * seconds:.0f} ms" for stage, seconds in turn.timings.items())
    return f"**{turn.explain()}**\n\n{timings}"


def respond(
    rec: Recommender, names: list[str], text: str, messages: Messages, session: Session | None, k: float, *profile: Any
) -> tuple[str, Messages, Session, pd.DataFrame, str, gr.Radio]:
    """One turn; the first one starts a session with the chosen profile."""
    try:
        if session is None:
            session = rec.session(user={n: v for n, v in zip(names, profile, strict=True) if v not in (None, "")})
        turn = session.say(text, k=int(k))
    except ValueError as error:
        raise gr.Error(str(error), print_exception=False) from error
    said = [*messages, {"role": "user", "content": text}, answer(rec, turn)]
    return "", said, session, table(rec, turn), why(turn), senses(turn)


def answer(rec: Recommender, turn: Turn) -> dict[str, Any]:
    """A turn as a message: why, and the first items."""
    title = rec.catalog.schema.title
    best = "\n".join(f"- {item.metadata.get(title or '', item.id)}" for item in turn.items[:SHOWN_IN_CHAT])
    return {"role": "assistant", "content": f"{turn.explain()}\n\n{best}"}


def undo(rec: Recommender, messages: Messages, session: Session | None) -> tuple[Messages, pd.DataFrame, str, gr.Radio]:
    """Take the last turn back."""
    if session is None or not session.turns:
        raise gr.Error("There is no turn to undo.", print_exception=False)
    turn = session.undo()
    return messages[:-2], table(rec, turn), why(turn), senses(turn)


def rather(
    rec: Recommender, messages: Messages, session: Session | None, chosen: int | None
) -> tuple[Messages, pd.DataFrame, str, gr.Radio]:
    """Take the last words as they were meant."""
    if session is None or not session.turns or chosen is None:
        raise gr.Error("There are no words that could be meant otherwise.", print_exception=False)
    turn = session.rather(session.turns[-1].otherwise[chosen])
    return [*messages[:-1], answer(rec, turn)], table(rec, turn), why(turn), senses(turn)


def build(rec: Recommender) -> gr.Blocks:
    """The page; nothing is launched."""
    with gr.Blocks(title="TalkWalk", analytics_enabled=False) as page:
        gr.Markdown(
            f"# TalkWalk\n{len(rec.catalog):,} items. Say what you are looking for, then steer in plain English."
        )
        session = gr.State(None)
        with gr.Row():
            with gr.Column(scale=2):
                chat = gr.Chatbot(label="Conversation", height=420)
                text = gr.Textbox(
                    label="You", placeholder="a gentle comedy · something older · more like that · go back"
                )
                with gr.Row():
                    back, fresh = gr.Button("Undo"), gr.Button("New conversation")
                meant = gr.Radio([], label="Or did you mean", visible=False)
                k = gr.Slider(1, 50, 10, step=1, label="k: how many items")
                with gr.Accordion("Profile (choosing starts a new conversation)", open=False):
                    controls = profile_controls(rec)
            with gr.Column(scale=3):
                reason, items = gr.Markdown(), gr.Dataframe(table(rec, None), label="Where it led", interactive=False)
        profile = list(controls.values())
        inputs, outputs = [text, chat, session, k, *profile], [text, chat, session, items, reason, meant]
        text.submit(partial(respond, rec, list(controls)), inputs, outputs, api_name="say")
        back.click(partial(undo, rec), [chat, session], [chat, items, reason, meant], api_name="undo")
        meant.input(partial(rather, rec), [chat, session, meant], [chat, items, reason, meant], api_name="rather")
        for changed in (fresh.click, *(control.input for control in profile)):
            nothing = [chat, session, items, reason, meant]
            changed(lambda: ([], None, table(rec, None), "", senses(None)), None, nothing, api_name=False)
    return page


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", default="movielens-100k", help="shipped name, folder or Hub id")
    parser.add_argument("--port", type=int, default=7860)
    options = parser.parse_args()
    theme = gr.themes.Soft(font=["system-ui", "sans-serif"], font_mono=["monospace"])  # no fonts from the network
    build(Recommender.from_pretrained(options.bundle)).launch(server_port=options.port, ssr_mode=False, theme=theme)
