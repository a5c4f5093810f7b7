#!/usr/bin/env bash
# transformers 5.16.1 with bitsandbytes 0.50.2: llm_int8_skip_modules, which says what 4-bit and 8-bit loading leaves alone.
#
# Expected: ["visual"] leaves the vision tower of a Qwen2.5-VL in full precision, ["model.language_model.layers.1"] that one layer, and
#           the output layer, which is left alone by default, stays so in both.
# Happens:  an entry has to match the beginning of a layer's whole name, or to be its end: "visual" skips nothing, since the tower is
#           model.visual and its layers are below it. It is a regular expression that may stop anywhere: layers.1 skips the layers 10
#           and 11, too, and so does "layers.1.", whose last dot is any character. And any list replaces the default: the output
#           layer is packed to 4 bits. Nothing is said.
# Matters:  a QLoRA of a vision model trains on a tower and an output layer in 4 bits that its config says to spare, and the memory
#           planned for one layer goes to several. Write ["model.visual", "lm_head"], and "model.language_model.layers.1\." for a layer.
# Since:    seen in 5.16.1 and 5.20.1; that a list replaces the default is known upstream (huggingface/transformers#45674).
# Output:   None: packed 12 of 12 layers in the tower, lm_head spared, text layers spared: none
#           ['visual']: packed 12 of 12 layers in the tower, lm_head packed, text layers spared: none
#           ['model.visual']: packed 0 of 12 layers in the tower, lm_head packed, text layers spared: none
#           ['model.language_model.layers.1']: packed 12 of 12 layers in the tower, lm_head packed, text layers spared: 1 10 11
#           ['model.language_model.layers.1.', 'lm_head']: packed 12 of 12 layers in the tower, lm_head spared, text layers spared: 1 10 11
#           ['model.language_model.layers.1\\.', 'lm_head']: packed 12 of 12 layers in the tower, lm_head spared, text layers spared: 1
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q --no-compile --disable-pip-version-check torch==2.13.0 transformers==5.16.1 bitsandbytes==0.50.2 \
    accelerate==1.13.0 numpy==2.3.5
cd "$work"
HF_HUB_OFFLINE=1 venv/bin/python - 2>log <<'PY' || { cat log; exit 1; }
import torch
from bitsandbytes.nn import Linear4bit
from transformers import AutoModelForImageTextToText, BitsAndBytesConfig, Qwen2_5_VLConfig

ropes = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 3, 3]}
sizes = {"hidden_size": 64, "intermediate_size": 128}
text = {**sizes, "num_hidden_layers": 12, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 100}
vision = {**sizes, "depth": 2, "num_heads": 4, "out_hidden_size": 64, "fullatt_block_indexes": [1]}
config = Qwen2_5_VLConfig(text_config={**text, "rope_parameters": ropes}, vision_config=vision, tie_word_embeddings=False)
AutoModelForImageTextToText.from_config(config).save_pretrained("model")
found = []
for skip in (
    None,
    ["visual"],
    ["model.visual"],
    ["model.language_model.layers.1"],
    ["model.language_model.layers.1.", "lm_head"],
    [r"model.language_model.layers.1\.", "lm_head"],
):
    quantization = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", llm_int8_skip_modules=skip)
    model = AutoModelForImageTextToText.from_pretrained("model", quantization_config=quantization, device_map="cpu")
    packed = {name: isinstance(part, Linear4bit) for name, part in model.named_modules() if isinstance(part, torch.nn.Linear)}
    tower = [done for name, done in packed.items() if ".visual." in name]
    spared = {int(name.split(".")[3]) for name, done in packed.items() if ".language_model." in name and not done}
    found.append((sum(tower), packed["lm_head"], sorted(spared)))
    print(f"{skip}: packed {sum(tower)} of {len(tower)} layers in the tower, lm_head {'packed' if packed['lm_head'] else 'spared'}, "
          f"text layers spared: {' '.join(map(str, sorted(spared))) or 'none'}")
assert found == [
    (12, False, []),
    (12, True, []),
    (0, True, []),
    (12, True, [1, 10, 11]),
    (12, False, [1, 10, 11]),
    (12, False, [1]),
]
PY
