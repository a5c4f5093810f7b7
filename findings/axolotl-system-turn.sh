#!/usr/bin/env bash
# axolotl 0.19.0, its chat templates for Mistral and Pixtral.
#
# Expected: a conversation that begins with a system turn is trained with it: the text that a model is trained on begins with the
#           prompt that it is sent later (add_generation_prompt), as it does with the templates for Llama, Qwen and ChatML.
# Happens:  mistral_v2v3, mistral_v3_tekken and pixtral write the system text before the last message, if that is the user's.
#           A training row ends with the assistant's answer: its system text is left out, without a word. The prompt at
#           inference, which ends with the user's question, has it. mistral_v1 and mistral_v7_tekken keep it in both.
# Matters:  rows that differ by their system text alone ("answer in French") become one prompt with contradicting answers, and
#           the model is asked with a text that it never saw in training.
# Since:    seen in 0.19.0.
# Output:   mistral_v2v3: prompt with, training without; mistral_v3_tekken: prompt with, training without; pixtral: prompt with,
#           training without; mistral_v1: prompt with, training with; llama3: prompt with, training with
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q --no-compile --disable-pip-version-check --no-deps axolotl==0.19.0 jinja2==3.1.6 markupsafe==3.0.3
cd "$work"
venv/bin/python - <<'PY'
from importlib.metadata import files

import jinja2

system, question = {"role": "system", "content": "Answer in French."}, {"role": "user", "content": "Is it waterproof?"}
answer = {"role": "assistant", "content": "Oui."}
templates = {file.stem: file for file in files("axolotl") if file.suffix == ".jinja"}
environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"])
found = {}
for name in ("mistral_v2v3", "mistral_v3_tekken", "pixtral", "mistral_v1", "llama3"):
    template = environment.from_string(templates[name].read_text())
    tokens = {"bos_token": "<s>", "eos_token": "</s>"}
    prompt = template.render(messages=[system, question], add_generation_prompt=True, **tokens)
    trained = template.render(messages=[system, question, answer], add_generation_prompt=False, **tokens)
    assert "Oui." in trained and "waterproof" in prompt and "waterproof" in trained
    found[name] = tuple("with" if system["content"] in text else "without" for text in (prompt, trained))
print("; ".join(f"{name}: prompt {first}, training {second}" for name, (first, second) in found.items()))
assert found == {
    **dict.fromkeys(("mistral_v2v3", "mistral_v3_tekken", "pixtral"), ("with", "without")),
    **dict.fromkeys(("mistral_v1", "llama3"), ("with", "with")),
}
PY
