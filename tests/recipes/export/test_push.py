"""Pushing to the hub: what is sent to a server that speaks its protocol on loopback, and what is refused before."""

import base64
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard

from recipes.runner.records import provenance
from tests.recipes.conftest import BIN, command

pytestmark = pytest.mark.slow
WEIGHTS = ("model.safetensors", "adapter_model.safetensors")


class Hub(ThreadingHTTPServer):
    """Holds the files of one repository: what was committed, whether it is private, and what it had before."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.objects: dict[str, bytes] = {}
        self.private, self.exists, self.calls = True, False, list[str]()


class Handler(BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, *args: Any) -> None:
        self.server.calls.append(f"{self.command} {self.path}")

    def answer(self, value: Any, status: int = 200) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def do_PUT(self) -> None:
        self.server.objects[self.path.rpartition("/")[2]] = self.body()
        self.answer({})

    def do_GET(self) -> None:
        files = [{"rfilename": name} for name in self.server.files]
        self.answer({"id": "owner/name", "private": self.server.private, "siblings": files, "sha": "a" * 40})

    def do_POST(self) -> None:
        given, path = self.body(), self.path
        made = {"/api/repos/create": self.create, "/api/validate-yaml": lambda _: self.answer({"errors": []})}
        parts = {"/preupload/": self.preupload, "/info/lfs/objects/batch": self.batch, "/commit/": self.commit}
        made.get(path, next((act for part, act in parts.items() if part in path), self.unknown))(given)

    def unknown(self, _: bytes) -> None:
        self.answer({"error": self.path}, 404)

    def create(self, given: bytes) -> None:
        url = f"http://127.0.0.1:{self.server.server_port}/owner/name"
        if self.server.exists:
            self.answer({"error": "You already created this model repo", "url": url}, 409)
            return
        wanted = json.loads(given)
        self.server.private = wanted.get("private", wanted.get("visibility") == "private")
        self.server.exists = True
        self.answer({"url": url})

    def preupload(self, given: bytes) -> None:
        names = [file["path"] for file in json.loads(given)["files"]]
        modes = {name: "lfs" if name in WEIGHTS else "regular" for name in names}
        self.answer({"files": [{"path": n, "uploadMode": m, "shouldIgnore": False} for n, m in modes.items()]})

    def batch(self, given: bytes) -> None:
        here = f"http://127.0.0.1:{self.server.server_port}/objects"
        wanted = json.loads(given)["objects"]
        objects = [one | {"actions": {"upload": {"href": f"{here}/{one['oid']}"}}} for one in wanted]
        self.answer({"transfer": "basic", "objects": objects})

    def commit(self, given: bytes) -> None:
        for line in map(json.loads, given.splitlines()):
            value = line["value"]
            if line["key"] == "file":
                self.server.files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                self.server.files[value["path"]] = self.server.objects[value["oid"]]
        url = f"http://127.0.0.1:{self.server.server_port}/owner/name/commit/b"
        self.answer({"commitUrl": url, "commitOid": "b" * 40})


@pytest.fixture
def hub() -> Iterator[Hub]:
    server = Hub()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def scored(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with the finished run, predicted and scored; its manifest is found where the run was trained."""
    folder = tmp_path_factory.mktemp("scored")
    for name in ("data", "raw", "runs"):
        shutil.copytree(finished / name, folder / name)
    out = ["--data", "data/mix/test.jsonl", "--out", "runs/tiny/eval"]
    words = ["predict", "--checkpoint", "runs/tiny/merged", "--max-new-tokens", "4", *out]
    assert command(folder, "ecom-eval", *words).returncode == 0
    words = ["score", "--predictions", "runs/tiny/eval/predictions.jsonl", "--resamples", "200", *out]
    assert command(folder, "ecom-eval", *words).returncode == 0
    return folder


@pytest.fixture
def push(scored: Path, hub: Hub) -> Any:
    """Push the run; no command asks, as nobody is there."""
    settings = {
        "HF_ENDPOINT": f"http://127.0.0.1:{hub.server_port}",
        "HF_TOKEN": "hf_test",
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",
        "NO_PROXY": "127.0.0.1",
    }

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(BIN / "ecom-train"), "push", "tiny", "--to", "owner/name", *words],
            cwd=scored,
            env=os.environ | settings,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_a_merged_model_goes_up_with_its_card_and_nothing_else(push: Any, hub: Hub, scored: Path) -> None:
    asked = push()
    assert asked.returncode == 1 and "nobody is here to be asked; add --yes" in asked.stderr and not hub.calls
    assert "model.safetensors" in asked.stdout and "to owner/name, private" in asked.stdout
    dry = push("--dry-run")
    assert (dry.returncode, dry.stdout, hub.calls) == (0, asked.stdout, [])
    done = push("--yes", "--licence", "apache-2.0", "--benchmark", "category=owner/products:leaf")
    assert done.returncode == 0, done.stderr
    merged = scored / "runs" / "tiny" / "merged"
    here = {path.name: path.read_bytes() for path in merged.iterdir()}
    texts = {"README.md", ".eval_results/category.yaml"}
    assert hub.private and {name: data for name, data in hub.files.items() if name not in texts} == here
    card = ModelCard(hub.files["README.md"].decode())
    assert card.data.license == "apache-2.0" and card.data.base_model is None
    assert hub.files[".eval_results/category.yaml"].startswith(b"- dataset:\n    id: owner/products\n")
    again = push("--yes")  # the repository is there
    assert again.returncode == 0, again.stderr


def test_an_adapter_goes_up_without_the_trainings_files(push: Any, hub: Hub, scored: Path) -> None:
    (scored / "runs" / "tiny" / "adapter" / "debug.log").touch()
    done = push("--adapter", "--yes", "--public")
    assert done.returncode == 0, done.stderr
    assert "to owner/name, PUBLIC" in done.stdout and not hub.private
    assert "stays here: debug.log" in done.stderr and "nobody else can load it" in done.stderr
    assert {"adapter_model.safetensors", "adapter_config.json", "README.md"} <= set(hub.files)
    assert not [name for name in hub.files if name.endswith((".log", ".pt", ".bin")) or "checkpoint" in name]
    assert ModelCard(hub.files["README.md"].decode()).data.library_name == "peft"  # ours, not PEFT's own


def test_a_repository_that_is_not_fit_gets_nothing(push: Any, hub: Hub) -> None:
    hub.exists, hub.private = True, False
    assert "is there, and public; nothing was uploaded" in push("--yes").stderr
    hub.private, hub.files = True, {"adapter_config.json": b"{}", "README.md": b"", "notes.txt": b""}
    assert "has adapter_config.json, which this model does not replace" in push("--yes").stderr
    assert not [call for call in hub.calls if "/commit/" in call]


def test_what_does_not_verify_is_not_uploaded(push: Any, hub: Hub, scored: Path) -> None:
    weights = scored / "runs" / "tiny" / "merged" / "model.safetensors"
    before = weights.read_bytes()
    weights.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
    done = push("--yes")
    weights.write_bytes(before)
    assert done.returncode == 1 and not hub.calls
    assert "not uploaded, broken at 'merged': runs/tiny/merged is not what the run was made from" in done.stderr


def test_a_run_without_such_a_model_or_without_scores_is_a_sentence(push: Any, hub: Hub, scored: Path) -> None:
    run = scored / "runs" / "tiny"
    record = provenance.read(run)
    provenance.write(run, {key: value for key, value in record.items() if key != "merged_sha256"})
    unmerged = push("--yes")
    provenance.write(run, record)
    assert "no such model of this run; make it with: make merge-tiny" in unmerged.stderr
    (run / "eval").rename(run / "elsewhere")
    unscored = push("--yes")
    (run / "elsewhere").rename(run / "eval")
    assert "run ecom-eval score first" in unscored.stderr
    for done in (unmerged, unscored):
        assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
    assert not hub.calls
