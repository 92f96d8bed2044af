"""Conversations: how rows become messages, messages a text, and which of its characters are answers."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

from ..errors import InputError, first_line
from ..storage.cells import is_missing, listed
from .readers import mended, open_text
from .template_limits import ending
from .tokenizer import special_frame

Message = dict[str, str]
ROLES = {"human": "user", "gpt": "assistant", "model": "assistant", "bot": "assistant"}
"""Names that data sets give to the three roles."""
PLAIN = """\
{%- for message in messages -%}
{%- if not loop.first %}{{ "\\n\\n" }}{% endif -%}
{%- if message.role == "system" %}{{ message.content }}
{%- elif message.role == "user" %}{{ "### Instruction:\\n" + message.content }}
{%- else %}{{ "### Response:\\n" + message.content }}END{% endif -%}
{%- endfor -%}
{%- if add_generation_prompt %}{{ "\\n\\n### Response:\\n" }}{% endif -%}"""
"""For tokenizers without a chat template; Alpaca's headings. END is the tokenizer's end of text."""


def plain_template(tokenizer: Any) -> str:
    """Return the default chat template, with the special tokens of a tokenizer.

    A conversation reads

        ### Instruction:
        {what the user says}

        ### Response:
        {the answer}<end of text>

    with a blank line between turns; a system message stands above, without a heading.
    """
    end = tokenizer.eos_token or tokenizer.sep_token
    template = PLAIN.replace("END", "{{ " + json.dumps(end) + " }}" if end else "")
    begins = special_frame(tokenizer)[0] == [tokenizer.bos_token_id]
    return ("{{- " + json.dumps(tokenizer.bos_token) + " -}}" if begins else "") + template


def read_template(template: str | None, tokenizer: Any) -> tuple[str, bool]:
    """Return the chat template to use, and whether it is the plain default.

    Args:
        template: Jinja, a file that holds one, `plain`, or None for the tokenizer's own, if it has one.
        tokenizer: whose template it is.

    Raises:
        InputError: if there is no such file.
    """
    if template is None and isinstance(tokenizer.chat_template, str):
        return tokenizer.chat_template, False
    if template is None and tokenizer.chat_template:  # several, by name
        try:
            return tokenizer.get_chat_template(), False
        except ValueError as error:  # none is the default
            raise InputError(f"data.chat_template: {first_line(error)} Give one of them, or `plain`.") from error
    if template in (None, "plain"):
        return plain_template(tokenizer), True
    assert template is not None
    if "{{" in template or "{%" in template:
        return template, False
    path = os.path.expanduser(template)
    if not os.path.isfile(path):  # a long text is no name of one, which pathlib takes for a fault of the disk
        raise InputError(
            f"data.chat_template is {template!r}: neither Jinja ({{{{ ... }}}}), nor a file, nor `plain`, nor null for "
            "the tokenizer's own."
        )
    try:
        with open_text(path) as text:
            return text.read(), False
    except OSError as error:
        raise InputError(f"data.chat_template: {path} cannot be read ({error.strerror or error}).") from error


def messages_in(where: str, value: Any, column: str) -> list[Message]:
    """Return messages as `{role, content}`, whatever the data set calls the two.

    Args:
        where: the place, for errors.
        value: a list of `{role, content}` or of `{from, value}` (ShareGPT), also as text (csv). An empty system message
            counts as none.
        column: its column.

    Raises:
        InputError: if it is no conversation: an unknown role, an empty message, turns out of order.
    """
    value = listed(value)
    if isinstance(value, str):
        raise InputError(f"{where}: column {column!r} holds a text, where a list of messages should be.")
    if not isinstance(value, list) or not value:
        raise InputError(f"{where}: column {column!r} holds {value!r}, where a list of messages should be.")
    if _says_nothing(value[0]):
        value = value[1:]
    messages = [_message(where, message, number) for number, message in enumerate(value)]
    expected = "user"
    for number, message in enumerate(messages):
        role = message["role"]
        if role == "system" and number == 0:
            continue
        if role != expected:
            raise InputError(
                f"{where}: message {number} is the {role}'s, where the {expected}'s should be: after a system message, "
                "if any, user and assistant take turns."
            )
        expected = "assistant" if role == "user" else "user"
    return messages


def _says_nothing(message: Any) -> bool:
    """Return whether a message is an empty one of the system."""
    said, content = ("role", "content") if isinstance(message, dict) and "role" in message else ("from", "value")
    return isinstance(message, dict) and message.get(said) == "system" and is_missing(message.get(content))


def _message(where: str, message: Any, number: int) -> Message:
    pair = next(
        (p for p in (("role", "content"), ("from", "value")) if isinstance(message, dict) and p[0] in message), None
    )
    if pair is None:
        raise InputError(
            f"{where}: message {number} is no object with role and content, or from and value: {message!r}."
        )
    said = str(message[pair[0]]).lower()
    role, content = ROLES.get(said, said), message.get(pair[1])
    if role not in ("system", "user", "assistant"):
        known = ", ".join(["system", "user", "assistant", *ROLES])
        raise InputError(f"{where}: message {number} has the role {message[pair[0]]!r}; there are: {known}.")
    if isinstance(content, list) and all(isinstance(part, dict) and part.get("type") == "text" for part in content):
        content = "".join(str(part.get("text", "")) for part in content)
    if not isinstance(content, str) or not content.strip():
        fault = "empty" if not content or isinstance(content, str) else f"no text: {content!r}"
        raise InputError(f"{where}: message {number} ({role}) is {fault}.")
    return {"role": role, "content": content}


@dataclass
class Rendered:
    """A conversation as a text.

    Args:
        text: all of it.
        answers: where each answer that can be learned begins and ends in it, its end-of-turn token included.
        lost: answers that the template rewrites once more is said, and which therefore are not learned.
    """

    text: str
    answers: list[tuple[int, int]]
    lost: int = 0


class ChatFormat:
    """Renders conversations by a chat template.

    Args:
        tokenizer: whose `apply_chat_template` does it.
        template: in Jinja; None for the tokenizer's own.
    """

    def __init__(self, tokenizer: Any, template: str | None) -> None:
        self.tokenizer, self.template = tokenizer, template
        self._special = tuple({*tokenizer.all_special_tokens, *tokenizer.get_added_vocab()})

    def render(self, where: str, messages: list[Message], ask: bool = False) -> str:
        """Return the text of a conversation.

        Args:
            where: the place, for errors.
            messages: of the conversation.
            ask: end with what comes before an answer.

        Raises:
            InputError: with the template's own message, if it refuses.
        """
        try:
            with ending():
                text: str = self.tokenizer.apply_chat_template(
                    messages, chat_template=self.template, tokenize=False, add_generation_prompt=ask
                )
        except Exception as error:  # a program of somebody's may raise anything
            roles = ", ".join(message["role"] for message in messages)
            why = "it calls itself without end" if isinstance(error, RecursionError) else first_line(error)
            raise InputError(
                f"{where}: the chat template does not take a conversation of {roles}: {why.rstrip('.')}. "
                "Another data.chat_template would work, such as plain."
            ) from error
        whole: str = mended(text, where)
        return whole

    def prompt(self, where: str, messages: list[Message]) -> str:
        """Return what comes before the answer to the last thing the user said."""
        while messages and messages[-1]["role"] == "assistant":
            messages = messages[:-1]
        return self.render(where, messages, ask=True)

    def answered(self, where: str, messages: list[Message]) -> Rendered:
        """Return a conversation with its answers, ending with the last one.

        An answer is what the template adds to a conversation before it: from the end of the prompt, as it is given when
        the model is asked, to the end of the turn. Templates may rewrite what was said earlier (Qwen3 drops the
        thinking): such an answer is not what the model would write, and only later ones are learned.

        Raises:
            InputError: if there is no answer, or not even the last one follows its prompt.
        """
        while messages and messages[-1]["role"] != "assistant":
            messages = messages[:-1]
        turns = [i for i, message in enumerate(messages) if message["role"] == "assistant"]
        if not turns:
            raise InputError(f"{where}: the conversation has no answer of the assistant to learn from.")
        whole = self.render(where, messages)
        answers: dict[int, tuple[int, int]] = {}
        for turn in turns:
            before = self.render(where, messages[:turn], ask=True)
            upto = whole if turn == turns[-1] else self.render(where, messages[: turn + 1])
            if upto.startswith(before) and whole.startswith(upto):
                answers[turn] = (len(before), len(before) + len(self._within_turn(upto[len(before) :])))
        if turns[-1] not in answers:
            raise InputError(
                f"{where}: the chat template writes something else before an answer when it asks for one than when "
                "the answer is there. Another data.chat_template would work, such as plain."
            )
        return Rendered(whole, list(answers.values()), len(turns) - len(answers))

    def _within_turn(self, answer: str) -> str:
        """Return a text without the white space after the token that ends a turn: nobody writes on after it."""
        bare = answer.rstrip()
        return bare if bare.endswith(self._special) else answer


def answer_tokens(offsets: list[tuple[int, int]], answers: list[tuple[int, int]]) -> list[bool]:
    """Return which tokens belong to answers: those that end within one.

    Args:
        offsets: where each token begins and ends in the text.
        answers: where each answer does.
    """
    # By their ends: the offsets of white space may be empty, and leading white space may be left out of them.
    return [any(begin < end <= stop for begin, stop in answers) for _, end in offsets]
