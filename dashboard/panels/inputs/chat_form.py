"""Messages of a chat, each with its role, in place of the text box."""

import streamlit as st

from dashboard import state
from dashboard.engine.inputs.messages import Message

_ROLES = ("system", "user", "assistant")


def chat_form(view: state.View) -> None:
    """One row for each message. What is typed stays typed until a link, an example or the back button."""
    said = state.messages(view)
    shown = {f"role_{i}": message.role for i, message in enumerate(said)}
    shown |= {f"said_{i}": message.content for i, message in enumerate(said)}
    # Streamlit forgets a box's content on another page.
    if st.session_state.get("chat_from_link") != shown or not shown.keys() <= st.session_state.keys():
        st.session_state.update(shown, chat_from_link=shown)

    def typed() -> list[Message]:
        return [Message(st.session_state[f"role_{i}"], st.session_state[f"said_{i}"]) for i in range(len(said))]

    def run() -> None:
        state.new_chat(typed())

    def add() -> None:
        last = typed()[-1].role
        state.new_chat([*typed(), Message("assistant" if last == "user" else "user", "")])

    def remove(index: int) -> None:
        state.new_chat([message for i, message in enumerate(typed()) if i != index])

    with st.form("chat", border=False, enter_to_submit=True):
        for index, message in enumerate(said):
            role, box, away = st.columns([2, 10, 1], vertical_alignment="center")
            roles = _ROLES if message.role in _ROLES else (*_ROLES, message.role)
            role.selectbox(f"Role {index + 1}", roles, key=f"role_{index}", label_visibility="collapsed")
            box.text_area(
                f"Message {index + 1}",
                key=f"said_{index}",
                height=68,
                label_visibility="collapsed",
                placeholder="What is said",
            )
            if len(said) > 1:
                away.form_submit_button(
                    "",
                    key=f"remove_message_{index}",
                    icon=":material/close:",
                    help=f"Take message {index + 1} out",
                    on_click=remove,
                    args=(index,),
                )
        with st.container(horizontal=True):
            st.form_submit_button("Run", on_click=run, type="primary", help="Ctrl+Enter in a message")
            st.form_submit_button("Add a message", on_click=add, icon=":material/add:")
    st.button(
        "Plain text",
        key="plain_text",
        type="tertiary",
        icon=":material/notes:",
        help="Back to one text; the messages are left behind.",
        on_click=state.new_chat,
        args=((),),
    )
