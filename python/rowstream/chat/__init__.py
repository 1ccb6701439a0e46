"""Conversations and comparisons: one type for the layouts that datasets have them in.

    from rowstream.chat import comparison, conversation, to_supervised

    talk = conversation({"conversations": [{"from": "human", "value": "Hi"}]})
    talk.to_messages()      # [{'role': 'user', 'content': 'Hi'}]

`conversation` and `comparison` read a row, in the layout that it has; `to_chatml` and
`to_supervised` make of a conversation what a model is trained on.
"""

from rowstream.chat.layouts import comparison, conversation, list_layouts, register_layout
from rowstream.chat.messages import Comparison, Conversation, Message
from rowstream.chat.render import to_chatml, to_supervised

__all__ = [
    "Comparison",
    "Conversation",
    "Message",
    "comparison",
    "conversation",
    "list_layouts",
    "register_layout",
    "to_chatml",
    "to_supervised",
]
