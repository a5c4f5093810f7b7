#!/usr/bin/env bash
# rensa 0.5.0: RMinHashLSH.query_duplicate_flags over an index of other rows, such as a test split.
#
# Expected: a row's flag is true where the index holds a duplicate of it, as query() finds one.
# Happens:  it is true only where the index holds two or more: the method takes the row itself to be in the index. A training row
#           that stands once in the test split is "no duplicate"; one that stands there twice is.
# Matters:  the fast call for many rows lets exactly those leak that have one twin, which is nearly all of them.
# Output:   one twin in the index: query finds 1, flag False; two twins: query finds 2, flag True
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q --no-compile --disable-pip-version-check rensa==0.5.0
"$work/venv/bin/python" - <<'PY'
from rensa import RMinHash, RMinHashLSH


def signature(title: str) -> RMinHash:
    made = RMinHash(num_perm=128, seed=1)
    made.update(title.split())
    return made


test_row, train_row = (signature("steel kettle with a lid, 1.5 litres") for _ in range(2))
index = RMinHashLSH(threshold=0.8, num_perm=128, num_bands=32)
seen = []
for key in range(2):
    index.insert(key, test_row)
    seen.append((len(index.query(train_row)), index.query_duplicate_flags([train_row])[0]))
(one, first), (two, second) = seen
print(f"one twin in the index: query finds {one}, flag {first}; two twins: query finds {two}, flag {second}")
assert seen == [(1, False), (2, True)]
PY
