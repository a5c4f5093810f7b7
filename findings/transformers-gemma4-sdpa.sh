#!/usr/bin/env bash
# transformers 5.20.1, Gemma 4 with its audio tower, attn_implementation="sdpa".
#
# Expected: the text part's own default, asked for by name, is what comes without a name: SDPA for what can, the audio tower as ever.
# Happens:  without a name text and vision attend by SDPA and audio eagerly. Named, it is asked of all three parts, and the model is
#           refused, since the audio tower has eager attention alone. Named for the text part alone, it loads.
# Matters:  trainers set it by name for the whole model, Axolotl 0.21 does so from its recipes: a fine-tuning on text stops over a tower
#           that no text reaches. In 5.16.1 the same call loads.
# Since:    seen in 5.20.1.
# Output:   None: text sdpa, vision sdpa, audio eager
#           sdpa: ValueError: Gemma4AudioModel does not support an attention implementation
#           {'text_config': 'sdpa'}: text sdpa, vision sdpa, audio eager
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q --no-compile --disable-pip-version-check torch==2.13.0 transformers==5.20.1
cd "$work"
venv/bin/python - 2>/dev/null <<'PY'
from transformers import Gemma4Config, Gemma4ForConditionalGeneration

shape = {"hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 4, "num_hidden_layers": 2}
text = shape | {"num_key_value_heads": 2, "head_dim": 16, "global_head_dim": 32, "vocab_size": 99}
text |= {"hidden_size_per_layer_input": 16, "vocab_size_per_layer_input": 99, "num_kv_shared_layers": 1}
text |= {"layer_types": ["sliding_attention", "full_attention"], "sliding_window": 16}
vision = shape | {"num_key_value_heads": 4, "head_dim": 16}
audio = {"hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": 1, "output_proj_dims": 64}
config = Gemma4Config(text_config=text, vision_config=vision, audio_config=audio)
Gemma4ForConditionalGeneration(config).save_pretrained("gemma")

said = []
for named in (None, "sdpa", {"text_config": "sdpa"}):
    try:
        parts = Gemma4ForConditionalGeneration.from_pretrained("gemma", attn_implementation=named).config
        found = [f"{name} {getattr(parts, f'{name}_config')._attn_implementation}" for name in ("text", "vision", "audio")]
        said.append(", ".join(found))
    except ValueError as error:
        said.append(f"ValueError: {str(error).partition(' through')[0]}")
    print(f"{named}: {said[-1]}")
assert said[0] == said[2] == "text sdpa, vision sdpa, audio eager" and said[1].startswith("ValueError: Gemma4AudioModel")
PY
