from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from chat_templates import CHATML, THINKING

from pretune.errors import InputError
from pretune.text.chat import ChatFormat, answer_tokens, messages_in, plain_template, read_template

STRICT = "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}" + CHATML


def message(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


CHAT = [message("user", "one?"), message("assistant", "1"), message("user", "two?"), message("assistant", "2")]


@pytest.fixture
def format_of(tokenizer: Any) -> Any:
    tokenizer.add_tokens(["<|im_start|>", "<|im_end|>"], special_tokens=True)
    return lambda template: ChatFormat(tokenizer, template)


def parts(rendered: Any) -> list[str]:
    return [rendered.text[begin:end] for begin, end in rendered.answers]


def test_answers_in_chatml_by_hand(format_of: Any) -> None:
    found = format_of(CHATML).answered("here", [message("system", "Count."), *CHAT])
    assert found.text == (
        "<|im_start|>system\nCount.<|im_end|>\n<|im_start|>user\none?<|im_end|>\n<|im_start|>assistant\n1<|im_end|>\n"
        "<|im_start|>user\ntwo?<|im_end|>\n<|im_start|>assistant\n2<|im_end|>\n"
    )
    assert parts(found) == ["1<|im_end|>", "2<|im_end|>"]  # the line feed after it is nobody's
    assert found.lost == 0
    assert (
        format_of(CHATML).prompt("here", CHAT)
        == found.text[found.text.index("<|im_start|>user") :][: -len("2<|im_end|>\n")]
    )


def test_answers_in_the_plain_template_by_hand(format_of: Any, tokenizer: Any) -> None:
    template, plain = read_template(None, tokenizer)
    assert plain
    found = format_of(template).answered("here", [message("system", "Count."), *CHAT])
    assert found.text == (
        "Count.\n\n### Instruction:\none?\n\n### Response:\n1[SEP]\n\n### Instruction:\ntwo?\n\n### Response:\n2[SEP]"
    )
    assert parts(found) == ["1[SEP]", "2[SEP]"]
    assert format_of(template).prompt("here", CHAT[:1]) == "### Instruction:\none?\n\n### Response:\n"
    # Where a tokenizer begins every text with a token, so does the template.
    tokenizer.bos_token = "[CLS]"
    assert format_of(plain_template(tokenizer)).prompt("here", CHAT[:1]).startswith("[CLS]### Instruction:\none?")
    tokenizer.bos_token = tokenizer.sep_token = None
    assert format_of(plain_template(tokenizer)).answered("here", CHAT[:2]).text.endswith("### Response:\n1")


def test_of_rewritten_turns_the_last_answer_is_learned(format_of: Any) -> None:
    found = format_of(THINKING).answered("here", CHAT)
    assert parts(found) == ["<think>\n\n</think>\n\n2<|im_end|>"]
    assert found.text.count("<think>") == 1
    assert found.lost == 1


def test_what_follows_the_last_answer_is_left_out(format_of: Any) -> None:
    assert format_of(CHATML).answered("here", CHAT[:3]) == format_of(CHATML).answered("here", CHAT[:2])
    with pytest.raises(InputError, match=r"^here: the conversation has no answer of the assistant to learn from\.$"):
        format_of(CHATML).answered("here", CHAT[:1])


def test_template_errors(format_of: Any) -> None:
    with pytest.raises(InputError, match=r"here: .* system, user, .*: System role not supported\. Another data\.chat"):
        format_of(STRICT).answered("here", [message("system", "Count."), *CHAT])
    with pytest.raises(InputError, match=r"here: the chat template .*Expected an expression.* such as plain\."):
        format_of("{% for message in %}").answered("here", CHAT)
    different = CHATML.replace("<|im_start|>assistant\n{% endif", "<|im_start|>answer\n{% endif")
    with pytest.raises(InputError, match="writes something else before an answer when it asks for one"):
        format_of(different).answered("here", CHAT)


def test_where_templates_come_from(tokenizer: Any, tmp_path: Path) -> None:
    tokenizer.chat_template = CHATML
    assert read_template(None, tokenizer) == (CHATML, False)
    assert read_template("plain", tokenizer)[1]
    assert read_template(THINKING, tokenizer) == (THINKING, False)
    Path("chat.jinja").write_text(STRICT)
    assert read_template("chat.jinja", tokenizer) == (STRICT, False)
    with pytest.raises(InputError, match=r"data.chat_template is 'chatml': neither Jinja"):
        read_template("chatml", tokenizer)


def test_messages_of_other_shapes() -> None:
    shared = [{"from": "human", "value": "one?"}, {"from": "gpt", "value": "1"}]
    assert messages_in("here", shared, "chat") == CHAT[:2]
    assert messages_in("here", json.dumps(shared), "chat") == CHAT[:2]
    assert messages_in("here", str(shared), "chat") == CHAT[:2]  # as Python writes it
    for nothing in ("", " ", None):
        assert messages_in("here", [{"role": "system", "content": nothing}, *CHAT], "chat") == CHAT
        assert messages_in("here", [{"from": "system", "value": nothing}, *shared], "chat") == CHAT[:2]
    typed = [{"role": "user", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "?"}]}]
    assert messages_in("here", typed, "chat") == CHAT[:1]


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ([], "here: column 'chat' holds [], where a list of messages should be."),
        ("one?", "here: column 'chat' holds a text, where a list of messages should be."),
        (["one?"], "here: message 0 is no object with role and content, or from and value: 'one?'."),
        ([message("critic", "no")], "here: message 0 has the role 'critic'; there are: system, user, assistant,"),
        ([CHAT[0], message("assistant", " ")], "here: message 1 (assistant) is empty."),
        ([message("user", 3)], "here: message 0 (user) is no text: 3."),  # type: ignore[arg-type]
        (CHAT[1:], "here: message 0 is the assistant's, where the user's should be"),
        ([CHAT[0], CHAT[2]], "here: message 1 is the user's, where the assistant's should be"),
        ([*CHAT, message("system", "x")], "here: message 4 is the system's, where the user's should be"),
    ],
)
def test_what_is_no_conversation(value: Any, error: str) -> None:
    with pytest.raises(InputError) as caught:
        messages_in("here", value, "chat")
    assert str(caught.value).startswith(error)


def test_tokens_belong_where_they_end() -> None:
    # "ab: cd!" with the answer " cd!" but for its first character; white space may have no width.
    offsets = [(0, 2), (2, 4), (4, 4), (4, 6), (6, 7), (7, 9)]
    assert answer_tokens(offsets, [(4, 7)]) == [False, False, False, True, True, False]
