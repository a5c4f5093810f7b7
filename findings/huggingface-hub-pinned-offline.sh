#!/usr/bin/env bash
# huggingface_hub 1.33.0: snapshot_download of a commit that lies in the cache, with HF_HUB_OFFLINE=1.
#
# Expected: both revision="main" and revision=<the commit that main is> return the cached folder, the commit all the more: it can't change.
# Happens:  "main" returns it; the commit, which nothing has to be looked up for, raises OfflineModeIsEnabled, since the list of files is
#           asked of the hub without the fallback to the cache. Without a network and without the variable it is a bare
#           httpx.ConnectError. Only a cache whose list of files 1.33 itself has stored is spared: not one that an older version filled.
# Matters:  who pins a commit for reproducibility can't start on an offline machine after an update, with every file in its cache.
#           local_files_only=True does return the folder.
# Since:    1.17.0 returns the folder for both.
# Output:   1.17.0: main from the cache, commit from the cache, commit with local_files_only from the cache
#           1.33.0: main from the cache, commit OfflineModeIsEnabled, commit with local_files_only from the cache
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
cd "$work"
commit=0123456789abcdef0123456789abcdef01234567
mkdir -p cache/models--shop--model/{refs,blobs,snapshots/$commit}
printf %s "$commit" >cache/models--shop--model/refs/main
echo '{}' >cache/models--shop--model/blobs/1
ln -s ../../blobs/1 cache/models--shop--model/snapshots/$commit/config.json
cat >ask.py <<'PY'
import sys

import huggingface_hub

COMMIT, expected = sys.argv[1], sys.argv[2:]
found = []
for revision, how in (("main", {}), (COMMIT, {}), (COMMIT, {"local_files_only": True})):
    try:
        folder = huggingface_hub.snapshot_download("shop/model", revision=revision, cache_dir="cache", **how)
        found.append("from the cache" if folder.endswith(COMMIT) else folder)
    except OSError as error:
        found.append(type(error).__name__)
names = ("main", "commit", "commit with local_files_only")
print(f"{huggingface_hub.__version__}: {', '.join(f'{name} {said}' for name, said in zip(names, found))}")
assert found == expected, found
PY
for version in 1.17.0 1.33.0; do
    venv/bin/pip install -q --no-compile --disable-pip-version-check "huggingface_hub==$version" httpx==0.28.1
    pinned=$([ $version = 1.17.0 ] && echo "from the cache" || echo OfflineModeIsEnabled)
    HF_HUB_OFFLINE=1 venv/bin/python ask.py $commit "from the cache" "$pinned" "from the cache"
done
