#!/usr/bin/env bash
# transformers 5.16.1 with mistral-common 1.11.5, a checkpoint folder that holds tekken.json and chat_template.jinja.
#
# Expected: AutoTokenizer's apply_chat_template renders the folder's chat_template.jinja, with the package mistral-common or without.
# Happens:  where that package is installed, the class is MistralCommonBackend. It leaves the folder's template unread, and one that
#           is set as its attribute, too; the prompt is Mistral's own. Nothing is said.
# Matters:  a model that was tuned with a template of its own is asked with another prompt as soon as tekken.json lies beside its
#           weights and mistral-common is installed, which vLLM and Axolotl bring.
# Since:    seen in transformers 5.16.1.
# Output:   MistralCommonBackend: '<s>[INST]Is it waterproof?[/INST]'; with the template set: '<s>[INST]Is it waterproof?[/INST]'
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q --no-compile --disable-pip-version-check transformers==5.16.1 mistral-common==1.11.5
cd "$work"
venv/bin/python - 2>/dev/null <<'PY'
import json
import shutil
from pathlib import Path

import mistral_common
from transformers import AutoTokenizer

template, folder = "### Question: {{ messages[0]['content'] }}\n### Answer: ", Path("checkpoint")
folder.mkdir()
shutil.copy(Path(mistral_common.__file__).parent / "data" / "tekken_240911.json", folder / "tekken.json")
(folder / "config.json").write_text(json.dumps({"model_type": "mistral"}))
(folder / "chat_template.jinja").write_text(template)
tokenizer = AutoTokenizer.from_pretrained(folder)
question = [{"role": "user", "content": "Is it waterproof?"}]
first = tokenizer.decode(tokenizer.apply_chat_template(question, return_dict=False))
tokenizer.chat_template = template
second = tokenizer.decode(tokenizer.apply_chat_template(question, return_dict=False))
print(f"{type(tokenizer).__name__}: {first!r}; with the template set: {second!r}")
assert first == second == "<s>[INST]Is it waterproof?[/INST]"
PY
