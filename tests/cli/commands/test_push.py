"""A run is pushed whole or not at all: against a server on the loopback interface."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub.constants
import pytest
from filelock import FileLock
from hub_server import TOKEN, HubServer, Repo, local_hub
from huggingface_hub import ModelCard

import pretune
from pretune.cli.sharing import repository
from pretune.main import main
from pretune.storage.checksums import write_checksums
from pretune.text.card_sections import PLACE, section

CARD = f"""---
library_name: transformers
pipeline_tag: text-classification
---

# TextClassification of `bert`

```python
classify = pipeline("text-classification", "{PLACE}")
```

## Scores

{section("scores", "Not tested.")}
"""
WEIGHTS = bytes(range(256)) * 200
Push = Callable[..., dict[str, Any]]


@pytest.fixture
def run_folder() -> Path:
    """A run that was trained and tested, as far as a push looks."""
    run = Path("runs/mood/version_0")
    export = run / "export"
    export.mkdir(parents=True)
    (export / "config.json").write_text('{"model_type": "bert"}')
    (export / "model.safetensors").write_bytes(WEIGHTS)
    (export / "README.md").write_text(CARD)
    write_checksums(export)
    test = {"test/accuracy": 0.9, "test/loss": 0.3, "scored": {"checkpoint": "best.ckpt", "step": 5, "files": "a.csv"}}
    fit = {"status": "finished", "steps": 9, "seconds": 61.0, "kept": {"step": 5, "val/accuracy": 0.8}}
    (run / "summary.json").write_text(json.dumps({"fit": fit, "test": test}))
    (run / "curves.png").write_bytes(b"a picture")
    return run


@pytest.fixture
def hub() -> Iterator[HubServer]:
    """A server, and a process that speaks to it and to no other."""
    with local_hub() as server:
        yield server


def pushed(*args: str) -> dict[str, Any]:
    made: dict[str, Any] = main(["push", *args])
    return made


def test_all_of_it_arrives_by_one_commit(run_folder: Path, hub: HubServer, capsys: pytest.CaptureFixture[str]) -> None:
    made = pushed("runs/mood", "ana/mood", "--private")
    repo = hub.repos["ana/mood"]
    assert repo.private
    assert len(repo.commits) == 1
    assert repo.files["model.safetensors"] == WEIGHTS
    assert repo.files["curves.png"] == b"a picture"
    assert set(repo.files) == {"README.md", "checksums.json", "config.json", "curves.png", "model.safetensors"}
    card = ModelCard(repo.files["README.md"].decode())
    assert card.data.model_name == "mood"  # type: ignore[attr-defined]
    (result,) = card.data.eval_results  # type: ignore[attr-defined]
    assert (result.metric_type, result.metric_value, result.dataset_name) == ("accuracy", 0.9, "a.csv")
    assert 'pipeline("text-classification", "ana/mood")' in card.text
    assert "| `accuracy` | 0.9000 | 0.8000 |" in card.text
    assert (run_folder / "export/README.md").read_text() == CARD  # what lies here is as it was
    said = capsys.readouterr().out
    assert f"Pushed to {hub.url}/ana/mood: 5 files" in said
    assert made["commit"] == repo.sha


def test_the_same_again_is_no_commit(run_folder: Path, hub: HubServer, capsys: pytest.CaptureFixture[str]) -> None:
    pushed("runs/mood", "lab/mood")
    pushed("runs/mood/version_0/export", "lab/mood")  # by another name
    assert len(hub.repos["lab/mood"].commits) == 1
    assert "nothing has changed" in capsys.readouterr().out
    assert hub.seen["PUT"] == 1


def test_a_new_export_takes_the_place_of_the_old_one(run_folder: Path, hub: HubServer) -> None:
    hub.repos["ana/mood"] = Repo(
        files={
            "checksums.json": b"{}", "model-00001-of-00002.safetensors": b"old", "notes.md": b"mine",
            ".gitattributes": b"", "onnx/model.safetensors": b"also mine",
        }
    )  # fmt: skip
    pushed("runs/mood", "ana/mood")
    files = hub.repos["ana/mood"].files
    assert files["notes.md"] == b"mine"
    assert files["onnx/model.safetensors"] == b"also mine"
    assert "model-00001-of-00002.safetensors" not in files
    assert len(hub.repos["ana/mood"].commits) == 1


def test_a_dry_run_sends_nothing(run_folder: Path, hub: HubServer, capsys: pytest.CaptureFixture[str]) -> None:
    made = pushed("runs/mood", "ana/mood", "--dry-run")
    said = capsys.readouterr().out
    assert "model.safetensors  51.2 KB" in said
    assert "As ana." in said
    assert "library_name: transformers" in said
    assert made["files"]["model.safetensors"] == len(WEIGHTS)
    assert dict(hub.seen) == {"GET whoami": 1}
    assert not hub.repos


def test_a_dry_run_needs_no_credentials(
    run_folder: Path, hub: HubServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    pushed("runs/mood", "ana/mood", "--dry-run")
    assert "No credentials are there" in capsys.readouterr().out
    assert not hub.seen


# ---------------------------------------------------------------------- what cannot be pushed


def test_no_credentials(
    run_folder: Path, hub: HubServer, fails: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    assert "There are no credentials: `hf auth login`" in fails("push", "runs/mood", "ana/mood")
    assert not hub.seen


@pytest.mark.parametrize(
    ("token", "name", "words"),
    [
        ("hf_nobody", "ana/mood", "the token was not accepted"),
        ("hf_reads", "ana/mood", "The token may only read"),
        (TOKEN, "club/mood", "Your role in club may only read"),
        (
            TOKEN,
            "else/mood",
            "else/mood is not yours to write to: you are ana, in lab, club, my-name. ana/mo",
        ),
    ],
)
def test_credentials_are_checked_first(
    token: str,
    name: str,
    words: str,
    run_folder: Path,
    hub: HubServer,
    fails: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    assert words in fails("push", "runs/mood", name)
    assert set(hub.seen) == {"GET whoami"}
    assert not hub.repos


@pytest.mark.parametrize("name", ["mood", "a/b/c", "ana/", "ana/mo od", "ana/--x", "https://hub/ana/mood"])
def test_a_name_that_is_none(name: str, run_folder: Path, hub: HubServer, fails: Callable[..., str]) -> None:
    message = fails("push", "runs/mood", name)
    assert "is no ORG/NAME" in message or "is no name of a repository" in message
    assert not hub.seen


def test_a_repository_with_something_else(run_folder: Path, hub: HubServer, fails: Callable[..., str]) -> None:
    hub.repos["ana/mood"] = Repo(files={"README.md": b"", "pytorch_model.bin": b"precious"})
    assert "holds something that was not pushed from here (pytorch_model.bin)" in fails("push", "runs/mood", "ana/mood")
    assert not hub.repos["ana/mood"].commits
    hub.repos["ana/mood"] = Repo(files={"README.md": b"", ".gitattributes": b""})  # as the site makes it
    pushed("runs/mood", "ana/mood")


def test_private_is_not_promised_of_what_is_public(run_folder: Path, hub: HubServer, fails: Callable[..., str]) -> None:
    hub.repos["ana/mood"] = Repo()
    assert "ana/mood is public; --private does not change that" in fails("push", "runs/mood", "ana/mood", "--private")
    assert not hub.repos["ana/mood"].commits


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda run: (run / "export/model.safetensors").write_bytes(WEIGHTS[:-1] + b"x"),
            "is not what was exported: mo",
        ),
        (lambda run: (run / "export/config.json").write_text("{}"), "config.json was changed or damaged"),
        (lambda run: (run / "export/checksums.json").write_text("{"), "checksums.json was changed or damaged"),
        (lambda run: (run / "export/model.safetensors").unlink(), "is not whole: model.safetensors is missing"),
        (lambda run: (run / "export/README.md").unlink(), "has no model card (README.md)"),
        (lambda run: (run / "export/README.md").write_text("---\n[\n---\n"), "The front matter of"),
        (lambda run: (run / "export").rename(run / "checkpoints"), "has no export: it was not trained to its end"),
        (lambda run: run.rename("elsewhere"), "runs/mood is no run, and no export"),
    ],
)
def test_an_export_that_is_not_whole(
    change: Callable[[Path], Any], words: str, run_folder: Path, hub: HubServer, fails: Callable[..., str]
) -> None:
    change(run_folder)
    assert words in fails("push", "runs/mood", "ana/mood")
    assert not hub.seen


def test_a_run_that_is_not_there(hub: HubServer, run_folder: Path, fails: Callable[..., str]) -> None:
    assert "There is no run and no export runs/mod. Runs there are: mood." in fails("push", "runs/mod", "ana/mood")


def test_a_run_that_trains_now(hub: HubServer, run_folder: Path, fails: Callable[..., str]) -> None:
    with FileLock(run_folder / ".lock"):
        (run_folder / ".writer.json").write_text(json.dumps({"pid": os.getpid(), "host": "here"}))
        assert "Wait until it is done" in fails("push", "runs/mood", "ana/mood")


def test_files_of_ones_own_go_with_it(run_folder: Path, hub: HubServer, capsys: pytest.CaptureFixture[str]) -> None:
    (run_folder / "export/LICENSE").write_text("Apache-2.0")
    (run_folder / "export/.git").mkdir()
    (run_folder / "export/.git/config").write_text("secret")
    pushed("runs/mood", "ana/mood")
    assert hub.repos["ana/mood"].files["LICENSE"] == b"Apache-2.0"
    assert ".git/config" not in hub.repos["ana/mood"].files
    assert "Not of the export, and pushed with it: LICENSE." in capsys.readouterr().out


# ---------------------------------------------------------------------- servers that fail


@pytest.mark.parametrize(
    ("where", "code", "words"),
    [
        ("repos/create", 403, "the repository could not be made: the token may not do that"),
        ("preupload", 403, "the push broke off: the token may not do that"),
        ("commit", 409, "somebody else has changed it in the meantime"),
        ("commit", 412, "somebody else has pushed to it in the meantime"),
        ("PUT", 403, "the push broke off: the token may not do that"),
        ("batch", 413, "the server does not take files of this size"),
    ],
)
def test_a_server_that_refuses(
    where: str, code: int, words: str, run_folder: Path, hub: HubServer, fails: Callable[..., str]
) -> None:
    hub.failures[where] = [code] * 9
    message = fails("push", "runs/mood", "ana/mood")
    assert words in message
    assert f"({code}: told to answer {code})" in message
    assert not any(repo.commits or repo.files for repo in hub.repos.values())
    hub.failures.clear()
    pushed("runs/mood", "ana/mood")  # goes on
    assert hub.repos["ana/mood"].files["model.safetensors"] == WEIGHTS


@pytest.mark.parametrize("where", ["preupload", "batch", "PUT", "commit"])
def test_a_server_that_fails_once(where: str, run_folder: Path, hub: HubServer) -> None:
    hub.failures[where] = [500]
    pushed("runs/mood", "ana/mood")
    assert len(hub.repos["ana/mood"].commits) == 1
    assert hub.repos["ana/mood"].files["model.safetensors"] == WEIGHTS


def test_a_server_that_keeps_failing(run_folder: Path, hub: HubServer, fails: Callable[..., str]) -> None:
    hub.failures["commit"] = [500] * 9
    message = fails("push", "runs/mood", "ana/mood")
    assert "the server failed. (500: told to answer 500) Nothing of it is seen there. The same command goes" in message
    hub.failures.clear()
    pushed("runs/mood", "ana/mood")
    assert hub.seen["PUT"] == 1  # what had arrived was not sent again


def test_an_answer_that_is_lost_makes_no_second_commit(run_folder: Path, hub: HubServer) -> None:
    hub.lost_answers = ["commit"]
    made = pushed("runs/mood", "ana/mood")
    assert len(hub.repos["ana/mood"].commits) == 1
    assert made["commit"] == hub.repos["ana/mood"].sha


def test_what_somebody_else_pushes_meanwhile_is_not_overwritten(
    run_folder: Path, hub: HubServer, fails: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def another(seconds: float) -> None:
        hub.repos["ana/mood"].files["checksums.json"] = b"{}"
        hub.repos["ana/mood"].commits.append({"summary": "another's"})

    hub.failures["commit"] = [500]
    monkeypatch.setattr(repository, "time", SimpleNamespace(**{**vars(time), "sleep": another}))
    assert "somebody else has pushed to it in the meantime" in fails("push", "runs/mood", "ana/mood")
    assert [commit["summary"] for commit in hub.repos["ana/mood"].commits] == ["another's"]


def test_a_connection_that_breaks_in_the_middle(run_folder: Path, hub: HubServer) -> None:
    hub.cut_after = 2_000
    pushed("runs/mood", "ana/mood")
    assert hub.cut.is_set()
    assert hub.repos["ana/mood"].files["model.safetensors"] == WEIGHTS


def test_no_network(
    run_folder: Path, hub: HubServer, fails: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert "http://127.0.0.1:9 cannot be reached" in fails("push", "runs/mood", "ana/mood")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    assert "stay offline ($HF_HUB_OFFLINE" in fails("push", "runs/mood", "ana/mood")


def test_a_push_that_is_killed_goes_on(run_folder: Path, hub: HubServer) -> None:
    """In a process of its own, as people start it: killed before its commit, then started again."""
    (run_folder / "export/second.safetensors").write_bytes(WEIGHTS[::-1])
    hub.failures["commit"] = [500] * 99  # the process waits, with both files sent
    environment = {**os.environ, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"}
    command = [sys.executable, str(Path(pretune.__file__).with_name("main.py")), "push", "runs/mood", "ana/mood"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        for _ in range(600):
            if hub.seen["POST commit"]:
                break
            assert process.poll() is None, process.communicate()
            hub.cut.wait(0.1)
        process.send_signal(signal.SIGKILL)
    finally:
        process.kill()
        process.communicate()
    assert not hub.repos["ana/mood"].files
    hub.failures.clear()
    sent = hub.seen["PUT"]
    assert sent == 2
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert hub.repos["ana/mood"].files["second.safetensors"] == WEIGHTS[::-1]
    assert hub.seen["PUT"] == sent
    assert len(hub.repos["ana/mood"].commits) == 1
