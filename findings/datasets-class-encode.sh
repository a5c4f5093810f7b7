#!/usr/bin/env bash
# datasets 5.2.0: DatasetDict.class_encode_column, which turns a column of names into class numbers.
#
# Expected: one call on the dict of splits gives all splits one list of names: "Caps" has the same number in train and in test.
# Happens:  each split gets a list of its own. If one of train's categories is missing in test, all that sort after it have other
#           numbers there. Datasets then refuses to concatenate the two; but test cast to train's features, or a Parquet file of
#           each split loaded together, keeps its numbers and takes train's names: a cap has become a belt, in a dataset whose
#           features all agree. A cast from texts, not from numbers, does go by the names.
# Matters:  a long tail of categories always misses some in the test split. A classifier without a fault is then scored as wrong,
#           and one trained on files that were encoded each for itself learns wrong labels; after the cast nothing shows it. Make
#           one ClassLabel of all names and cast each split of texts to it.
# Since:    seen in 5.2.0, the newest release in November 2026, and 4.8.4. The example in the docstring is a dict of splits of two
#           classes. That a cast lets through even numbers that have no name is known upstream (huggingface/datasets#8494).
# Output:   test: Caps Shoes Bags; numbers in train 2 3 0, in test 1 2 0; concatenate: ValueError
#           cast: Belts Caps Bags; Parquet: Belts Caps Bags; texts cast: Caps Shoes Bags
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q --no-compile --disable-pip-version-check datasets==5.2.0 pyarrow==26.0.1 pandas==3.1.1
cd "$work"
HF_HOME=$work/cache HF_HUB_OFFLINE=1 venv/bin/python - 2>log <<'PY' || { cat log; exit 1; }
from datasets import Dataset, DatasetDict, concatenate_datasets, load_dataset


def names(split):
    return [split.features["category"].int2str(number) for number in split["category"]]


tested = ["Caps", "Shoes", "Bags"]
shop = DatasetDict(
    train=Dataset.from_dict({"category": ["Bags", "Belts", "Caps", "Shoes"]}), test=Dataset.from_dict({"category": tested})
)
encoded = shop.class_encode_column("category")
train, test = encoded["train"], encoded["test"]
in_train = [train.features["category"].str2int(name) for name in tested]
in_test = list(test["category"])
try:
    joined = names(concatenate_datasets([train, test]))
except ValueError as error:
    joined = type(error).__name__
print(f"test: {' '.join(names(test))}; numbers in train {' '.join(map(str, in_train))}, in test {' '.join(map(str, in_test))}; "
      f"concatenate: {joined}")

cast = names(test.cast(train.features))
train.to_parquet("0.parquet")
test.to_parquet("1.parquet")
parquet = names(load_dataset("parquet", data_files=["0.parquet", "1.parquet"], split="train"))
texts = names(shop["test"].cast(train.features))
print(f"cast: {' '.join(cast)}; Parquet: {' '.join(parquet[4:])}; texts cast: {' '.join(texts)}")
assert names(test) == texts == tested
assert (in_train, in_test) == ([2, 3, 0], [1, 2, 0])
assert joined == "ValueError"
assert cast == parquet[4:] == ["Belts", "Caps", "Bags"]
PY
