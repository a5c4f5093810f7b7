#!/usr/bin/env bash
# bitsandbytes 0.50.2 on a CPU, NF4, with torch 2.13.0.
#
# Expected: a weight that quantize_4bit packed comes back from dequantize_4bit within the rounding of four bits, whatever its shape:
#           about a tenth of the largest weight in its block.
# Happens:  where the number of columns is no multiple of the block size, 64, the scales land on the wrong weights: what comes back
#           is off by as much as the weights are large. Linear4bit multiplies with it, without a word. The packed form is right.
# Matters:  a small or odd layer (a projection of 32, a hidden size of 288) trains on another weight than the checkpoint's, and a merge
#           that packs and unpacks flat gives a model that never was trained.
# Since:    seen in 0.50.2, on a processor with AVX-512.
# Output:   largest error of normal weights: 64 columns 0.4, 96 columns 1.7, the 96 columns as rows of 64 0.5
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q --no-compile --disable-pip-version-check torch==2.13.0 bitsandbytes==0.50.2 numpy==2.3.5
cd "$work"
venv/bin/python - 2>/dev/null <<'PY'
import torch
from bitsandbytes.functional import dequantize_4bit, quantize_4bit

torch.manual_seed(0)


def error(weight: torch.Tensor) -> float:
    packed, state = quantize_4bit(weight, quant_type="nf4", blocksize=64)
    return float((dequantize_4bit(packed, state) - weight).abs().max())


even, odd = torch.randn(64, 64), torch.randn(64, 96)
found = [error(even), error(odd), error(odd.reshape(-1, 64))]
print("largest error of normal weights: 64 columns {:.1f}, 96 columns {:.1f}, the 96 columns as rows of 64 {:.1f}".format(*found))
assert found[0] < 0.8 and found[2] < 0.8 and found[1] > 1.5
PY
