#!/usr/bin/env bash
# ir-measures 0.4.3 with pytrec-eval-terrier 0.5.11: reciprocal rank with and without a cutoff.
#
# Expected: RR@10 is at most RR, since a cutoff can only take away, and both rank the same run the same way.
# Happens:  RR is computed by pytrec_eval, RR@10 by the script of MS MARCO. Documents of equal score are put in
#           descending order of their ids by the first and in ascending order by the second. With four products of one
#           score, the right one is last for RR (0.25), first for RR@10 (1.0), and absent for P@1 and Success@1 (0). The
#           order in which the run was given counts for neither.
# Matters:  grades of 0 to 3 by a language model, exact-match scores and rounded cosines tie all the time. Then RR@10
#           says 1 while P@1 of the same run says 0, and renaming the products changes both.
# Since:    seen in 0.4.3, the newest release in November 2026; that providers break ties differently is open
#           upstream (since 2021).
# Output:   RR 0.25  RR@10 1.00  P@1 0.00  Success@1 0.00
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q --no-compile --disable-pip-version-check ir-measures==0.4.3 pytrec-eval-terrier==0.5.11
cd "$work"
venv/bin/python - <<'PY'
import ir_measures
from ir_measures import P, RR, Success

relevant = {"waterproof jacket": {"p1": 1}}
asked = [RR, RR @ 10, P @ 1, Success @ 1]
for order in (["p1", "p2", "p3", "p4"], ["p4", "p3", "p2", "p1"]):
    got = ir_measures.calc_aggregate(asked, relevant, {"waterproof jacket": {name: 3.0 for name in order}})
    print("  ".join(f"{measure} {got[measure]:.2f}" for measure in asked))
    assert [got[measure] for measure in asked] == [0.25, 1.0, 0.0, 0.0]

# Without ties they agree.
got = ir_measures.calc_aggregate(asked, relevant, {"waterproof jacket": {"p2": 2.0, "p1": 1.0}})
assert got[RR] == got[RR @ 10] == 0.5
PY
