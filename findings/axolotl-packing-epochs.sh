#!/usr/bin/env bash
# axolotl 0.19.0 with accelerate 1.13.0, the pin of that release: sample packing on several processes.
#
# Expected: every epoch shuffles and packs the rows anew, on two GPUs as on one, and a row that one epoch leaves out comes in another.
# Happens:  on two processes all epochs have the same packs in the same order. Axolotl's sampler keeps its packs until it is told of a
#           new epoch. Accelerate tells the sampler that it loads from; with several processes that is its own, which wraps Axolotl's
#           and has no set_epoch. Axolotl plans as many packs as the fewest of four shuffles filled and cuts off the rest of an epoch,
#           and what is cut off is then the same rows each time: they are never trained on.
# Matters:  three epochs on several GPUs are the same epoch thrice, and their curves cannot be compared with those of one GPU. Of a few
#           hundred rows some are never seen, in no epoch, and no log tells.
# Since:    seen in 0.19.0, and in 0.21.0 with accelerate 1.15.0.
# Output:   1 process: 3 orders in 3 epochs, left out 4, 4, 5 of 400 rows, in all epochs 0
#           2 processes: 1 orders in 3 epochs, left out 3, 3, 3 of 400 rows, in all epochs 3
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
install=("$work/venv/bin/pip" install -q --no-compile --disable-pip-version-check)
"${install[@]}" torch==2.13.0 transformers==5.16.1 accelerate==1.13.0 huggingface_hub==1.17.0 numpy==2.3.5 numba==0.68.1 \
    colorama==0.4.6 requests==2.34.2 pydantic==2.12.5
"${install[@]}" --no-deps axolotl==0.19.0 axolotl-contribs-lgpl==0.0.7 axolotl-contribs-mit==0.0.6
cd "$work"
cat > epochs.py <<'PY'
import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from axolotl.utils.samplers.multipack import MultipackBatchSampler
from torch.utils.data import DataLoader, RandomSampler

rows = torch.arange(400)
lengths = np.random.default_rng(0).integers(200, 2000, len(rows))
torch.manual_seed(0)
accelerator = Accelerator(cpu=True)
accelerator.even_batches = False  # these lines do what Axolotl's trainer does with sample_packing
shuffled = RandomSampler(rows)
sampler = MultipackBatchSampler(shuffled, batch_size=1, batch_max_len=2048, lengths=lengths, bin_size=200, num_processes=1)
len(sampler)
loader = accelerator.prepare(DataLoader(rows, batch_sampler=sampler, collate_fn=lambda packs: packs[0]))
epochs = []
for epoch in range(3):
    loader.set_epoch(epoch)
    epochs.append(gather_object([pack.tolist() for pack in loader]))
if accelerator.is_main_process:
    processes = accelerator.num_processes
    orders = len({str(epoch) for epoch in epochs})
    left = [set(rows.tolist()) - {row for pack in epoch for row in pack} for epoch in epochs]
    never = len(set.intersection(*left))
    noun = "process" if processes == 1 else "processes"
    print(f"{processes} {noun}: {orders} orders in 3 epochs, left out {', '.join(str(len(one)) for one in left)} of "
          f"{len(rows)} rows, in all epochs {never}")
    assert (orders, never > 0) == {1: (3, False), 2: (1, True)}[processes]
PY
for processes in 1 2; do
    venv/bin/python -m torch.distributed.run --standalone --nproc-per-node "$processes" epochs.py 2>log || { cat log; exit 1; }
done
