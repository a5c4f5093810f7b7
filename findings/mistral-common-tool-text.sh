#!/usr/bin/env bash
# mistral-common 1.13.1, Mistral's own code for its models' prompts; tokenizer version 3 (Mistral 7B v0.3, Nemo).
#
# Expected: the text of a tool message reaches the model as it is. ToolMessage.content is a string, and stays one until
#           then.
# Happens:  the text is read as JSON and written anew if it can be: the price "1.50" becomes 1.5, the article number
#           "5E10" becomes 50000000000.0, "[TOOL_RESULTS]" holds a number where a string was given, and of a key that
#           comes twice the first is dropped. A text that is no JSON, such as "007", stays. Arguments of a tool call,
#           also a string, are rewritten likewise. Version 7 leaves the tool message as it is, but rewrites the
#           arguments all the same.
# Matters:  Axolotl builds its rows with it under tokenizer_use_mistral_common. A model that is to quote the shop's
#           answer never sees "1.50" or "5E10"; the label in the training row asks for a text that its prompt does not
#           hold, and exact match counts the model's honest copy as wrong.
# Since:    seen in 1.13.1, the newest release in November 2026.
# Output:   "1.50"  -> 1.5
#           "5E10"  -> 50000000000.0
#           "007"   -> "007"
#           arguments -> {"limit": 20.0}
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q --no-compile --disable-pip-version-check mistral-common==1.13.1
cd "$work"
venv/bin/python - <<'PY'
import re

from mistral_common.protocol.instruct.messages import AssistantMessage, ToolMessage, UserMessage
from mistral_common.protocol.instruct.request import ChatCompletionRequest
from mistral_common.protocol.instruct.tool_calls import FunctionCall, ToolCall
from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

tokenizer = MistralTokenizer.v3(is_tekken=True)


def prompt(result):
    call = ToolCall(id="abcdefghi", function=FunctionCall(name="look_up", arguments='{"limit": 20.00}'))
    messages = [
        UserMessage(content="What does the shop say?"),
        AssistantMessage(content=None, tool_calls=[call]),
        ToolMessage(content=result, name="look_up", tool_call_id="abcdefghi"),
    ]
    return tokenizer.encode_chat_completion(ChatCompletionRequest(messages=messages)).text


def seen(result):
    return re.search(r'\[TOOL_RESULTS\]\{"content": (.*), "call_id"', prompt(result)).group(1)


for text, expected in [("1.50", "1.5"), ("5E10", "50000000000.0"), ("007", '"007"')]:
    print(f'{chr(34) + text + chr(34):7} -> {seen(text)}')
    assert seen(text) == expected
assert seen('{"size": "S", "size": "M"}') == '{"size": "M"}'
arguments = re.search(r'"arguments": (\{.*?\})', prompt("ok")).group(1)
print("arguments ->", arguments)
assert arguments == '{"limit": 20.0}'
PY
