#!/usr/bin/env bash
# rouge-chinese 1.0.3, ROUGE for words separated by spaces (Chinese after segmentation).
#
# Expected: ROUGE-1 counts every word of the answer, so an answer that says the reference ten times over has precision
#           0.1.
# Happens:  by default ROUGE-N compares sets of n-grams. The repeated answer has precision 1, recall 1 and F1 1, while
#           ROUGE-L, in the same call, counts every word and says 0.18. Rouge(exclusive=False) gives 0.1 for ROUGE-1,
#           too; the README does not name that argument.
# Matters:  a fine-tuned model that does not stop says the same again and again, and ROUGE-1 calls that perfect. Its
#           numbers cannot be set beside those of a ROUGE that counts every word.
# Since:    seen in 1.0.3, the newest release in November 2026.
# Output:   set of words: precision 1.0, F1 1.00  every word: precision 0.1, F1 0.18  ROUGE-L: precision 0.1, F1 0.18
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q --no-compile --disable-pip-version-check rouge-chinese==1.0.3
cd "$work"
venv/bin/python - <<'PY'
from rouge_chinese import Rouge

reference = "红色 纯棉 长袖 衬衫 适合 春季"
looping = " ".join([reference] * 10)
scores = Rouge().get_scores(looping, reference)[0]
counted = Rouge(exclusive=False).get_scores(looping, reference)[0]["rouge-1"]
as_set, longest = scores["rouge-1"], scores["rouge-l"]
print(f"set of words: precision {as_set['p']:.1f}, F1 {as_set['f']:.2f}  "
      f"every word: precision {counted['p']:.1f}, F1 {counted['f']:.2f}  "
      f"ROUGE-L: precision {longest['p']:.1f}, F1 {longest['f']:.2f}")
assert as_set["p"] == 1.0 and as_set["f"] > 0.999
assert abs(counted["p"] - 0.1) < 1e-9
assert abs(longest["p"] - 0.1) < 1e-9
PY
