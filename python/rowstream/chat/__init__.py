"""Conversations and comparisons: one type for the layouts that datasets have them in.

    from rowstream.chat import comparison, conversation

    talk = conversation({"conversations": [{"from": "human", "value": "Hi"}]})
    talk.to_messages()      # [{'role': 'user', 'content': 'Hi'}]

`conversation` and `comparison` read a row, in the layout that it has; `Conversation.to_chatml` and
`to_supervised` make of it what a model is trained on.
"""

from rowstream.chat.layouts import comparison, conversation, list_layouts, register_layout
from rowstream.chat.messages import Comparison, Conversation, Message

__all__ = [
    "Comparison",
    "Conversation",
    "Message",
    "comparison",
    "conversation",
    "list_layouts",
    "register_layout",
]
