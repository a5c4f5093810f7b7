#!/usr/bin/env bash
# outlines-core 0.2.14, the regular expressions that guided decoding is built from.
#
# Expected: a JSON Schema string with "pattern": "S|M|L" allows the JSON strings "S", "M" and "L".
# Happens:  the pattern is put between the two quotes without a group, so the alternation splits the quotes, too. All
#           three valid answers are forbidden, and what a model can still write is no JSON. Nothing is raised or logged.
#           "^S$|^M$" loses its first ^ and its last $ besides. "^(S|M|L)$" and an enum are right.
# Matters:  every guided answer for such a field is unreadable and counts as the model's mistake: a score of 0 that is
#           not the model's.
# Since:    seen in 0.2.14, the newest release in November 2026; known and open upstream.
# Output:   ("S|M|L")
#           allowed: ['"S', 'M', 'L"']  forbidden: ['"S"', '"M"', '"L"']
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q --no-compile --disable-pip-version-check outlines-core==0.2.14
cd "$work"
venv/bin/python - <<'PY'
import json
import re

from outlines_core.json_schema import build_regex_from_schema


def allowed_by(schema, texts):
    made = re.compile(build_regex_from_schema(json.dumps(schema)))
    return [text for text in texts if made.fullmatch(text)]


valid, broken = ['"S"', '"M"', '"L"'], ['"S', "M", 'L"']
print(build_regex_from_schema(json.dumps({"type": "string", "pattern": "S|M|L"})))
allowed = allowed_by({"type": "string", "pattern": "S|M|L"}, valid + broken)
print("allowed:", allowed, " forbidden:", [text for text in valid + broken if text not in allowed])
assert allowed == broken
assert allowed_by({"type": "string", "pattern": "^S$|^M$"}, valid) == []

# The same three values, said otherwise, are right.
assert allowed_by({"type": "string", "pattern": "^(S|M|L)$"}, valid + broken) == valid
assert allowed_by({"enum": ["S", "M", "L"]}, valid + broken) == valid
PY
