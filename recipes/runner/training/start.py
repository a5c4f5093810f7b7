"""Starts Axolotl in half the processor time: ``python -m recipes.runner.training.start WORDS`` is ``axolotl WORDS``.

Its imports make two million objects that stay to the end. The garbage collector would walk through them again and again while
they are made, and at each checkpoint once more: it is off until the last import, and leaves them out from then on
(``gc.freeze``). And the processes that datasets starts to write prepared rows import the program that started them: this file,
not Axolotl.
"""

import gc
import sys
from importlib import import_module

# What Axolotl imports by itself only after it has read its arguments.
LATE = {"train": "axolotl.train", "merge-lora": "axolotl.cli.merge_lora"}


def main(words: list[str]) -> None:
    """Run Axolotl's command line with the arguments ``words`` in this process."""
    gc.disable()
    axolotl = import_module("axolotl.cli.main")
    if words and words[0] in LATE and "torchrun" not in words:  # torchrun trains in processes of its own
        import_module(LATE[words[0]])
    gc.freeze()
    gc.enable()
    axolotl.cli(words, prog_name="axolotl")


if __name__ == "__main__":
    main(sys.argv[1:])
