#!/usr/bin/env bash
# transformers 5.20.1: a model that is loaded from a GGUF file with GgufConfig(dequantize=True).
#
# Expected: the option makes a plain dense model of it ("unpack every weight at load time into a plain dense model instead"), and such a
#           model is saved like any other: that was how a GGUF file became an ordinary checkpoint, in 5.16.1 with no option at all.
# Happens:  all weights are dense float32, and save_pretrained raises: "The model is quantized with QuantizationMethod.GGUF and is not
#           serializable". Without the option it is the same where no kernel for packed weights is found, though it is dequantised then.
# Matters:  scripts that convert GGUF files for training stop after an update. With model.hf_quantizer = None before saving, the weights that were
#           loaded are written.
# Output:   5.16.1: saved
#           5.20.1: dense float32, ValueError: The model is quantized with QuantizationMethod.GGUF and is not serializable
#           5.20.1 without its quantizer: saved, same weights
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
install() { "$work/venv/bin/pip" install -q --no-compile --disable-pip-version-check "$@"; }
install torch==2.13.0 transformers==5.16.1 gguf==0.19.0 accelerate==1.15.0 numpy==2.3.5 sentencepiece==0.2.2
cd "$work"
cat >make.py <<'PY'
import numpy as np
from gguf import GGUFWriter

SIZE, WIDE, WORDS, HEADS = 64, 128, 40, 4
writer = GGUFWriter("model.gguf", "llama")
writer.add_block_count(1)
writer.add_context_length(64)
writer.add_embedding_length(SIZE)
writer.add_feed_forward_length(WIDE)
writer.add_head_count(HEADS)
writer.add_head_count_kv(HEADS)
writer.add_layer_norm_rms_eps(1e-5)
writer.add_rope_dimension_count(SIZE // HEADS)
writer.add_vocab_size(WORDS)
writer.add_tokenizer_model("llama")
writer.add_token_list([f"word{number}" for number in range(WORDS)])
writer.add_token_scores([0.0] * WORDS)
writer.add_token_types([1] * WORDS)
draw = np.random.default_rng(0)
shapes = {"token_embd": (WORDS, SIZE), "output": (WORDS, SIZE), "output_norm": (SIZE,)}
shapes |= {f"blk.0.attn_{name}": (SIZE, SIZE) for name in ("q", "k", "v", "output")}
shapes |= {"blk.0.ffn_gate": (WIDE, SIZE), "blk.0.ffn_up": (WIDE, SIZE), "blk.0.ffn_down": (SIZE, WIDE)}
shapes |= {"blk.0.attn_norm": (SIZE,), "blk.0.ffn_norm": (SIZE,)}
for name, shape in shapes.items():
    writer.add_tensor(f"{name}.weight", draw.normal(size=shape).astype(np.float32))
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
PY
cat >save.py <<'PY'
import torch
import transformers

packed = getattr(transformers, "GgufConfig", None)
how = {"quantization_config": packed(dequantize=True)} if packed else {}
model = transformers.AutoModelForCausalLM.from_pretrained(".", gguf_file="model.gguf", dtype=torch.float32, **how)
assert {weight.dtype for weight in model.parameters()} == {torch.float32}
try:
    model.save_pretrained("saved")
    said = "saved"
except ValueError as error:
    said = f"dense float32, ValueError: {str(error).split(' - ')[0]}"
print(f"{transformers.__version__}: {said}")
if packed:
    assert said.endswith("is not serializable")
    model.hf_quantizer = None
    model.save_pretrained("saved")
    again = transformers.AutoModelForCausalLM.from_pretrained("saved").state_dict()
    assert all(torch.equal(weight, again[name]) for name, weight in model.state_dict().items())
    print(f"{transformers.__version__} without its quantizer: saved, same weights")
else:
    assert said == "saved"
PY
export HF_HUB_OFFLINE=1
venv/bin/python make.py
venv/bin/python save.py 2>log || { cat log; exit 1; }
install transformers==5.20.1
venv/bin/python save.py 2>log || { cat log; exit 1; }
