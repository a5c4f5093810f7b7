"""A prompt strategy for Axolotl (``type: recipes.runner.whole_answer``): all that follows the prompt of evaluation is learnt.

Axolotl's ``chat_template`` searches the rendered text for the answer and learns the tokens that lie in it. A template such as
Mistral's writes a space before the answer; before a digit or a Chinese character that space is a token of its own, outside the
answer's text: masked in training, though the model has to write it. This is Axolotl's own strategy without the search: the
prompt as evaluation sends it is masked, the rest is learnt. Of a conversation, only the last answer is learnt.
"""

from collections.abc import Mapping
from typing import Any

# With none of these Axolotl splits at the length of the prompt; left out, they would get its defaults, which search.
UNSEARCHED: dict[str, Any] = {"roles_to_train": [], "train_on_eos": None, "train_on_eot": None}


def load(tokenizer: Any, cfg: Any, ds_cfg: Mapping[str, Any] | None = None) -> Any:
    """Return Axolotl's strategy for one dataset entry; Axolotl calls this by its name."""
    from axolotl.prompt_strategies.chat_template import load as chat_template

    return chat_template(tokenizer, cfg, ds_cfg=dict(ds_cfg or {}) | UNSEARCHED)
