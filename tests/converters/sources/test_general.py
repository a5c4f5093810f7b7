"""General instructions: every key that holds text of a conversation is a turn, or its row is rejected with the key's name."""

import json
from pathlib import Path
from typing import Any

import pytest

from converters.mixture.spec import Entry
from converters.validation import check
from tests.converters._converted import Converted, convert

ASK, REPLY = {"role": "user", "content": "Which pan?"}, {"role": "assistant", "content": "The iron one."}
WRAPPED = "### Instruction:\nName a pan.\n\n### Input:\niron, steel\n\n### Response:"


def general(folder: Path, *rows: dict[str, Any], **options: Any) -> Converted:
    path = folder / "chat.json"
    path.write_text(json.dumps([*rows, {"instruction": "Name a pan.", "output": "Wok."}]), "utf-8")
    return convert(Entry(source="general", paths=[str(path)], options=options))


def turns(folder: Path, row: dict[str, Any], **options: Any) -> list[str]:
    part = general(folder, row, **options)
    assert part.tally.used == 2, part.tally.rejected
    assert not [problem for each in part.rows for problem in check.problems(each)]
    return [f"{turn.role[0]}:{turn.content}" for turn in part.rows[0].messages]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"instruction": "いくら？", "output": "９円", "system": "鍋屋です。", "history": [["鍋は？", "はい"], ["何色？", "赤"]]},
         ["s:鍋屋です。", "u:鍋は？", "a:はい", "u:何色？", "a:赤", "u:いくら？", "a:９円"]),
        ({"instruction": "A", "input": "B", "output": "C", "system": "", "history": []}, ["u:A\n\nB", "a:C"]),
        ({"question": "A", "response": "C", "system_prompt": "S", "id": "flan.1"}, ["s:S", "u:A", "a:C"]),
        ({"Instruction": "A", "Context": "B", "Response": "C", "category": "closed_qa"}, ["u:A\n\nB", "a:C"]),
        ({"instruction": "A", "input": "B", "context": "D", "output": "C"}, ["u:A\n\nB\n\nD", "a:C"]),
        ({"history": [ASK, REPLY], "instruction": "A", "output": "C"}, ["u:Which pan?", "a:The iron one.", "u:A", "a:C"]),
        ({"messages": [{"role": "developer", "content": "S"}, ASK, REPLY]}, ["s:S", "u:Which pan?", "a:The iron one."]),
        ({"conversations": [{"from": "human", "value": "A"}, {"from": "gpt", "value": "C"}], "system": "S", "tools": "[]"},
         ["s:S", "u:A", "a:C"]),
        ({"conversation": [{"role": "system", "content": "S"}, ASK, REPLY], "system": "S "},
         ["s:S", "u:Which pan?", "a:The iron one."]),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "A"}, {"type": "text", "text": "B"}]}, REPLY]},
         ["u:A\nB", "a:The iron one."]),
        ({"prompt": [{"role": "system", "content": "S"}, ASK], "completion": [REPLY]},
         ["s:S", "u:Which pan?", "a:The iron one."]),
        ({"prompt": "A", "completion": "C", "label": True}, ["u:A", "a:C"]),
        ({"prompt": "Which pan?", "prompt_id": "x", "messages": [ASK, REPLY]}, ["u:Which pan?", "a:The iron one."]),
        ({"instruction": "A", "output": "C", "text": "Below is A, and then C"}, ["u:A", "a:C"]),
        ({"prompt": WRAPPED, "answer": "iron"}, ["u:Name a pan.\n\niron, steel", "a:iron"]),
        ({"prompt": f"You sell pans.\n\n{WRAPPED}\n", "answer": "iron"},
         ["s:You sell pans.", "u:Name a pan.\n\niron, steel", "a:iron"]),
        ({"prompt": f"{WRAPPED} It is", "answer": "iron"}, [f"u:{WRAPPED} It is", "a:iron"]),
        ({"messages": [ASK | {"weight": 0}, REPLY | {"weight": 1}]}, ["u:Which pan?", "a:The iron one."]),
    ],
)  # fmt: skip
def test_every_key_of_a_conversation_is_a_turn(row: dict[str, Any], expected: list[str], tmp_path: Path) -> None:
    assert turns(tmp_path, row) == expected


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"messages": [ASK, REPLY], "tools": [{"name": "price"}]}, "'tools' holds calls of tools"),
        ({"conversations": [{"from": "human", "value": "A"}, {"from": "function_call", "value": "{}"}]},
         "a turn of the role 'functioncall': calls of tools are not used"),
        ({"messages": [ASK, {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}]},
         "'tool_calls' of a turn holds calls of tools"),
        ({"messages": [ASK, {"role": "seller", "content": "x"}]}, "a turn whose role is not system, user or assistant"),
        ({"prompt": "A", "chosen": "C", "rejected": "D"}, "'chosen' holds a choice between answers"),
        ({"conversations": [{"from": "human", "value": "A"}, {"from": "gpt", "value": "C"}], "images": ["a.jpg"]},
         "'images' holds no text"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}, REPLY]},
         "a turn, or a part of one, that is no text"),
        ({"messages": [ASK, REPLY | {"weight": 0}]}, "an answer marked as not to be learnt by 'weight'"),
        ({"messages": [ASK, REPLY | {"train": False}, ASK, REPLY]}, "an answer marked as not to be learnt by 'train'"),
        ({"instruction": "A", "output": "C", "kto_tag": False}, "marked as not to be learnt by 'ktotag'"),
        ({"messages": [ASK, REPLY | {"reasoning_content": "Hm."}]},
         "'reasoning_content' of a turn holds the reasoning of an answer"),
        ({"instruction": "A", "output": "C", "text": "a passage"}, "'text' holds text of the conversation"),
        ({"messages": [{"role": "system", "content": "S"}, ASK, REPLY], "system": "T"},
         "a system turn beside a key of another system text"),
        ({"instruction": "A", "output": "C", "system": "S", "system_prompt": "T"},
         "'system' and 'systemprompt' hold different texts"),
        ({"instruction": "A", "output": "C", "answer": "D"}, "'output' and 'answer' hold different texts"),
        ({"instruction": "A", "prompt": WRAPPED.replace("Name", "Buy"), "output": "C"},
         "'instruction' and 'prompt' hold different texts"),
        ({"messages": [ASK, REPLY], "history": [["A", "B"]]}, "'history' beside a list of turns"),
        ({"messages": [ASK, REPLY], "input": "x1"}, "'input' beside a list of turns"),
        ({"messages": [ASK, REPLY], "conversations": [ASK, REPLY]}, "'messages' and 'conversations' both hold turns"),
        ({"instruction": "A", "output": "C", "history": [["B"]]},
         "other format: Expected `array` of length 2, got 1 - at `$.history[...]`"),
        ({"instruction": "A", "output": "C", "system": ["S"]}, "other format: Expected `str`, got `array` - at `$.system`"),
        ({"instruction": "A", "output": "C", "history": [["B", None]]}, "empty turn, or a system turn that is not the first"),
        ({"output": "A", "Output": "C"}, "one key in two spellings"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_turn_is_rejected_by_name(row: dict[str, Any], reason: str, tmp_path: Path) -> None:
    part = general(tmp_path, row)
    assert part.tally.rejected == {reason: 1} and (part.tally.read, part.tally.used) == (2, 1)


def test_unknown_keys_that_hold_text_are_told_and_those_about_the_row_are_not(tmp_path: Path) -> None:
    row = {
        "instruction": "Which?",
        "output": "Iron.",
        "source": "a long text of where",
        "mood": "as a pirate speaks",
        "n": 5,
    }
    part = general(
        tmp_path,
        row,
        {**row, "instruction": "Why?", "mood": "calm"},
        {"messages": [ASK | {"name": "Ann of York"}, REPLY]},
    )
    assert part.tally.used == 4
    assert part.tally.noted == {"key left out, not known: mood": 1, "key left out, not known: name": 1}
    many = [{"instruction": f"{n}?", "output": "Iron.", f"key{n}": "three words here"} for n in range(50)]
    assert len(general(tmp_path, *many).tally.noted) == 21


def test_a_system_text_makes_another_prompt_and_may_begin_the_first_user_turn(tmp_path: Path) -> None:
    plain, short = ({"instruction": "A", "output": "C", **more} for more in ({}, {"system": "Be brief."}))
    part = general(tmp_path, plain, short)
    assert len({row.group for row in part.rows}) == len({row.id for row in part.rows}) == 3
    chat = {"messages": [ASK, REPLY, ASK, REPLY], "system": "Be brief."}
    assert turns(tmp_path, chat, system="user") == [
        "u:Be brief.\n\nWhich pan?", "a:The iron one.", "u:Which pan?", "a:The iron one."
    ]  # fmt: skip
    assert turns(tmp_path, plain, system="user") == ["u:A", "a:C"]
