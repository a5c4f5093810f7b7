#!/usr/bin/env bash
# axolotl 0.19.0: a plugin of its own whose package is not installed.
#
# Expected: a training whose config names a plugin that cannot be imported ends with an error; register(), which loads plugins, has
#           ImportError in its docstring.
# Happens:  the error is logged among the lines of the start, the plugin is left out, and so are its keys, since unknown keys are
#           dropped. The training runs to its end and exits with 0. LLMCompressorPlugin, which holds the zeros of a sparse model,
#           comes with Axolotl and needs the package llmcompressor, an extra: without it the model is trained dense.
# Matters:  on a new machine or image the same config trains something else: no sparsity, no distillation, another loss. The last
#           lines of the log and the exit code, which is what a job's status shows, say that all went well.
# Since:    seen in 0.19.0, the last release for Python 3.11; 0.21.0 ends with the error.
# Output:   exit code 0; zeros among the weights that the plugin was to hold: 50 % before, 0 % after
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q --no-compile --disable-pip-version-check uv==0.13.9
"$work/venv/bin/uv" pip install -q --python "$work/venv/bin/python" axolotl==0.19.0 torch==2.13.0 sentencepiece==0.2.1 numpy==2.3.5
cd "$work"
cat > sparse.py <<'PY'
import sys

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedTokenizerFast


def held(model) -> list[torch.Tensor]:
    return [weight.data for name, weight in model.named_parameters() if name.endswith("proj.weight")]


if sys.argv[1] == "make":
    words = Tokenizer(models.WordLevel({word: n for n, word in enumerate(["<unk>", "<s>", "</s>", "a", "b"])}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    named = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "</s>"}
    PreTrainedTokenizerFast(tokenizer_object=words, **named).save_pretrained("base")
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 8}
    model = AutoModelForCausalLM.from_config(LlamaConfig(**sizes))
    for weight in held(model):
        weight[:, ::2] = 0
    model.save_pretrained("base")
weights = torch.cat([weight.flatten() for weight in held(AutoModelForCausalLM.from_pretrained(sys.argv[2]))])
print(f"{float((weights == 0).float().mean()):.0%}".replace("%", " %"))
PY
cat > train.yaml <<'YAML'
base_model: base
plugins: [axolotl.integrations.llm_compressor.LLMCompressorPlugin]
llmcompressor:
  recipe: {stage: {modifiers: {ConstantPruningModifier: {targets: ["re:.*proj.weight"], start: 0}}}}
datasets: [{path: rows.jsonl, ds_type: json, type: completion}]
output_dir: trained
dataset_prepared_path: prepared
sequence_len: 64
micro_batch_size: 1
gradient_accumulation_steps: 1
max_steps: 4
learning_rate: 0.001
optimizer: adamw_torch
bf16: false
fp16: false
tf32: false
attn_implementation: sdpa
YAML
for _ in 1 2 3 4 5 6 7 8; do echo '{"text": "a b a b a b"}'; done > rows.jsonl
export HF_HUB_OFFLINE=1 AXOLOTL_DO_NOT_TRACK=1
before=$(venv/bin/python sparse.py make base 2>log) || { cat log; exit 1; }
code=0
venv/bin/axolotl train train.yaml --launcher python >log 2>&1 || code=$?
after=$(venv/bin/python sparse.py read trained 2>/dev/null) || { cat log; exit 1; }
echo "exit code $code; zeros among the weights that the plugin was to hold: $before before, $after after"
test "$code, $before, $after" = "0, 50 %, 0 %"
grep -q "Failed to load plugin: axolotl.integrations.llm_compressor.LLMCompressorPlugin" log
