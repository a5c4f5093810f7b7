"""Axolotl prompt strategy, completion-only loss (``type: recipes.plugins.completion_only``): all after the prompt is learnt.

Axolotl's ``chat_template`` searches the rendered text for the answer and learns the tokens that lie in it. A template such as
Mistral's writes a space before the answer; before a digit or a Chinese character that space is a token of its own, outside the
answer's text: masked in training, though the model has to write it. This is Axolotl's own strategy without the search: the
prompt as evaluation sends it is masked, the rest is learnt. Every answer of a conversation is learnt as the last one of the turns
up to it, because a walk down a category tree is asked turn by turn. An earlier answer that the template renders differently once
more turns follow is not learnt.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

# With none of these Axolotl splits at the length of the prompt; left out, they would get its defaults, which search.
UNSEARCHED: dict[str, Any] = {"roles_to_train": [], "train_on_eos": None, "train_on_eot": None}


def load(tokenizer: Any, cfg: Any, ds_cfg: Mapping[str, Any] | None = None) -> Any:
    """Return Axolotl's strategy for one dataset entry; Axolotl calls this by its name."""
    from axolotl.prompt_strategies.chat_template import load as chat_template

    strategy = chat_template(tokenizer, cfg, ds_cfg=dict(ds_cfg or {}) | UNSEARCHED)
    # Axolotl's one place for one row: rows one at a time and in batches both go through it.
    strategy._tokenize_single_prompt = partial(
        every_answer, strategy._tokenize_single_prompt, strategy.prompter.field_messages
    )
    return strategy


def every_answer(last_answer: Callable[[Any], Any], field: str, row: Mapping[str, Any]) -> Any:
    """Return a row's ids and labels with all answers learnt; ``last_answer`` unmasks the last one of the turns it is given."""
    tokens, turns = last_answer(row), row[field]
    for number, turn in enumerate(turns[:-1], 1):
        if turn["role"] == "assistant":
            part = last_answer({**row, field: turns[:number]})
            size = len(part["input_ids"])
            if tokens["input_ids"][:size] == part["input_ids"]:
                labels = [max(old, new) for old, new in zip(tokens["labels"], part["labels"], strict=False)]
                tokens["labels"] = labels + tokens["labels"][size:]
    return tokens
