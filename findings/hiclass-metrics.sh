#!/usr/bin/env bash
# hiclass 5.0.8, hierarchical precision, recall and F1 of category paths.
#
# Expected: a predicted node counts as right if it is the node of the true path. "Phones > Accessories" shares no node
#           with "Bikes > Accessories": 0. (HiClass's classifiers do tell two nodes of one name apart by their parents.)
# Happens:  the metrics compare the bare names, as sets. A name that the taxonomy has in several branches is right in
#           the wrong branch, and neither the level nor the order of the names counts: a path read backwards scores 1.
# Matters:  product taxonomies repeat "Accessories", "Parts" or "Bags" below many parents, so a model that picks the
#           wrong department still gets most of the points. Join each node with its ancestors first: that gives the
#           number meant.
# Since:    seen in 5.0.8, the newest release in November 2026; its docstrings say classes and their ancestor
#           classes, not names.
# Output:   precision: wrong department 0.667, path backwards 1.000, wrong department by nodes with ancestors 0.000
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q --no-compile --disable-pip-version-check hiclass==5.0.8 scikit-learn==1.9.1
cd "$work"
venv/bin/python - <<'PY'
import numpy as np
from hiclass.metrics import precision


def joined(paths):
    return np.array([[" > ".join(path[: n + 1]) for n in range(len(path))] for path in paths])


true = np.array([["Bikes", "Accessories", "Bags"]])
other = np.array([["Phones", "Accessories", "Bags"]])
wrong, backwards = precision(true, other), precision(true, true[:, ::-1])
meant = precision(joined(true), joined(other))
print(f"precision: wrong department {wrong:.3f}, path backwards {backwards:.3f}, "
      f"wrong department by nodes with ancestors {meant:.3f}")
assert abs(wrong - 2 / 3) < 1e-9
assert backwards == 1.0
assert meant == 0.0
PY
