#!/usr/bin/env bash
# pandas 2.3.3 and pyarrow 22.0.0: a Parquet file whose category is a list of names, written as CSV and read back.
#
# Expected: ast.literal_eval, the usual way to read a list back from a CSV cell, gives the list or raises an error.
# Happens:  pandas reads a Parquet list as a NumPy array, and to_csv writes an array's str(): blanks between the texts and no
#           commas. For Python, texts that follow each other are one text: literal_eval returns a list of one name that no
#           shop has. Numbers raise a SyntaxError, so that only texts go wrong in silence. A list that was made in pandas and
#           never was Parquet comes back whole.
# Matters:  a category path becomes one class, and several values of an attribute one value, in any catalogue that went from
#           Parquet through a CSV.
# Since:    seen in these versions.
# Output:   cell ['Home' 'Kitchen' 'Mugs'] read as ['HomeKitchenMugs']; numbers: SyntaxError; never Parquet: ['Home', 'Kitchen', 'Mugs']
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q --no-compile --disable-pip-version-check pandas==2.3.3 pyarrow==22.0.0
cd "$work"
venv/bin/python - <<'PY'
import ast

import pandas as pd

path = ["Home", "Kitchen", "Mugs"]
pd.DataFrame({"category": [path], "sizes": [[1, 2, 3]]}).to_parquet("shop.parquet")
pd.read_parquet("shop.parquet").to_csv("shop.csv", index=False)
pd.DataFrame({"category": [path]}).to_csv("plain.csv", index=False)
row = pd.read_csv("shop.csv").iloc[0]
read = ast.literal_eval(row["category"])
try:
    numbers = ast.literal_eval(row["sizes"])
except SyntaxError as error:
    numbers = type(error).__name__
plain = ast.literal_eval(pd.read_csv("plain.csv").iloc[0]["category"])
print(f"cell {row['category']} read as {read}; numbers: {numbers}; never Parquet: {plain}")
assert read == ["HomeKitchenMugs"]
assert numbers == "SyntaxError"
assert plain == path
PY
