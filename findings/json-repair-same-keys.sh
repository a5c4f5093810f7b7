#!/usr/bin/env bash
# json-repair 0.64.6, which reads JSON out of what a model wrote.
#
# Expected: two objects in one answer give a list of both, as they do when their keys differ.
# Happens:  an object whose keys and types of values are those of the one before replaces it: of five JSON Lines the
#           last is left, as a plain object and not as a list. With one key more, or a number where the other has a
#           string, both stay. With a comma between them both stay as well (since 0.59.9).
# Matters:  a model asked for one object per product, or one that answers twice, loses all answers but the last, and
#           those rows look like an attribute that was not found. Only strict=True raises.
# Since:    seen in 0.64.6, the newest release in November 2026.
# Output:   five lines -> {'brand': 'Brand 4', 'size': '4'}
#           other keys -> [{'brand': 'Acme'}, {'colour': 'red'}]
#           other type -> [{'size': '4'}, {'size': 4}]
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q --no-compile --disable-pip-version-check json-repair==0.64.6
cd "$work"
venv/bin/python - <<'PY'
import json

import json_repair

rows = [{"brand": f"Brand {n}", "size": str(n)} for n in range(5)]
lines = "\n".join(json.dumps(row) for row in rows)
last = json_repair.loads(lines)
keys = json_repair.loads('{"brand": "Acme"}\n{"colour": "red"}')
types = json_repair.loads('{"size": "4"}\n{"size": 4}')
print("five lines ->", last)
print("other keys ->", keys)
print("other type ->", types)
assert last == rows[-1]
assert keys == [{"brand": "Acme"}, {"colour": "red"}]
assert json_repair.loads('{"size": "4"}\n{"size": "5", "age": 3}') == [{"size": "4"}, {"size": "5", "age": 3}]
assert types == [{"size": "4"}, {"size": 4}]
assert json_repair.loads(lines.replace("\n", ",\n")) == rows
try:
    json_repair.loads(lines, strict=True)
except ValueError:
    pass
else:
    raise AssertionError("strict=True no longer refuses several objects")
PY
