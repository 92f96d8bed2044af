"""Chat templates that are cut, fail, loop, or write too much."""

from __future__ import annotations

import pytest
from chat_templates import CHATML, THINKING
from fuzz_checks import usable
from fuzz_child import Child
from fuzz_material import CHAT_ROWS, as_arrow  # noqa: F401
from fuzz_mutations import as_lines, damaged
from fuzzing import explore
from hypothesis import strategies as st

PIECES = [
    "{% for m in messages %}", "{% endfor %}", "{{ m.content }}", "{{ messages[0] }}", "{{ messages[99].content }}",
    "{{ raise_exception('no') }}", "{{ 1 / 0 }}", "{{ 'x' * 10 }}", "{% if add_generation_prompt %}", "{% endif %}",
    "{{ nothing.at.all }}",
    "{% set x = messages %}", "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "{% generation %}", "{{ tools }}",
    "{% for i in range(9) %}", "{{ messages | tojson }}", "{{ strftime_now('%Y') }}", "{{ ''.__class__ }}",
    "{{ 'a'.join(messages) }}",
    "{% include 'x' %}", "{{ m.content[0].text }}", "{% break %}", "{{ m.role + 1 }}", "{{ 2 ** 9999 }}",
    "{{ '\ud800' }}",
    "{% for i in range(10 ** 9) %}", "{{ '%d' % 'x' }}", "{{ messages.append(1) }}", "\0", "### Response:\n",
]  # fmt: skip


def use(child: Child, template: str) -> None:
    usable(
        child, "use_rows", {"a.jsonl": as_lines(CHAT_ROWS)}, kind="InstructionDataModule", name="a.jsonl",
        tokenizer="bytelevel", chat_template=template,
    )  # fmt: skip


@pytest.mark.parametrize("template", [CHATML, THINKING], ids=["chatml", "thinking"])
def test_damaged_templates(template: str, child: Child) -> None:
    ways = damaged(template.encode()).map(lambda content: content.decode(errors="replace"))
    explore(ways, lambda text: use(child, text), 25)


def test_made_up_templates(child: Child) -> None:
    ways = st.lists(st.sampled_from(PIECES), min_size=1, max_size=5).map("".join)
    explore(ways, lambda text: use(child, text), 40)
