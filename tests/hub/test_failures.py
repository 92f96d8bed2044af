"""A hub that does not give what is asked for: one message, which says what to do, and soon."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hub_models import add_models, model_files  # type: ignore[import-not-found]
from hub_sets import SCRIPT, add_sets  # type: ignore[import-not-found]
from hub_user import User  # type: ignore[import-not-found]
from reading_server import TOKEN, Commit, Illness, ReadingServer, Repo  # type: ignore[import-not-found]

BERT = "google-bert/bert-base-uncased"
COLA = "finetune/glue/cola"
LOCAL = "--model.backbone={config: {model_type: bert, hidden_size: 32, num_hidden_layers: 1, num_attention_heads: 2}}"


@pytest.fixture(autouse=True)
def _stocked(server: ReadingServer) -> None:
    add_models(server.repos, [BERT])
    add_sets(server.repos, ["glue/cola"])


def put(server: ReadingServer, name: str, **options: Any) -> None:
    """A model or a data set under a name that nothing has been read of."""
    like = "datasets/nyu-mll/glue" if name.startswith("datasets/") else BERT
    files = server.repos[like].revisions["main"].files
    server.repos[name] = Repo({"main": Commit({**files, "of": name.encode()})}, **options)


def test_nothing_of_the_name(server: ReadingServer, user: User) -> None:
    for token in ("", TOKEN):
        said = user.fit(COLA, "--model.backbone=lab/no-model", HF_TOKEN=token).message
        assert f"'lab/no-model' cannot be loaded: {server.url} has nothing of this name, or it is private" in said
        said = user.fit(COLA, "--data.dataset=lab/no-set", HF_TOKEN=token).message
        assert f"'lab/no-set' (cola) cannot be loaded: {server.url} has nothing of this name, or it is private" in said
        assert "hf auth login" in said


def test_wrong_token(server: ReadingServer, user: User) -> None:
    put(server, "lab/wrong")
    put(server, "datasets/lab/wrong")
    said = user.fit(COLA, "--model.backbone=lab/wrong", HF_TOKEN="hf_of_nobody").message
    assert f"{server.url} does not accept your token: `hf auth login` stores a token, $HF_TOKEN comes" in said
    said = user.fit(COLA, "--data.dataset=lab/wrong", HF_TOKEN="hf_of_nobody").message
    assert "'lab/wrong' (cola) cannot be loaded" in said
    assert "does not accept your token" in said


def test_a_wrong_token_for_what_is_in_the_cache(server: ReadingServer, user: User) -> None:
    put(server, "datasets/lab/had")
    assert user.fit(COLA, "--data.dataset=lab/had").code == 0
    done = user.fit(COLA, "--data.dataset=lab/had", HF_TOKEN="hf_of_nobody")
    assert done.code == 0, done.err
    assert f"lab/had is read from the cache, as it was last time: {server.url} does not accept your" in done.warnings


@pytest.mark.parametrize("kind", ["model", "dataset"])
def test_gated(kind: str, server: ReadingServer, user: User) -> None:
    place = "datasets/lab/gated" if kind == "dataset" else "lab/gated"
    put(server, place, gated=True)
    server.members = {"hf_of_ana"}
    words = ["--data.dataset=lab/gated"] if kind == "dataset" else ["--model.backbone=lab/gated"]
    said = user.fit(COLA, *words).message
    assert f"it is gated: ask for access on {server.url}/{place}, then give a token" in said
    said = user.fit(COLA, *words, HF_TOKEN=TOKEN).message
    assert f"it is gated, and the account of your token has no access to it: ask for it on {server.url}/{place}" in said
    assert user.fit(COLA, *words, HF_TOKEN="hf_of_ana").code == 0


def test_no_such_revision(server: ReadingServer, user: User) -> None:
    backbone = "--model.backbone={name: bert-base-uncased, revision: v9}"
    assert "it has no branch, tag or commit 'v9'" in user.fit(COLA, backbone).message
    assert "it has no branch, tag or commit 'v9'" in user.fit(COLA, "--data.dataset=nyu-mll/glue@v9").message


def test_no_such_subset(user: User) -> None:
    said = user.fit(COLA, "--data.subset=kola").message
    assert "the subset 'kola' is not found; data.subset may be: cola, ax" in said


def test_a_set_that_is_code(server: ReadingServer, user: User) -> None:
    server.repos["datasets/lab/code"] = Repo({"main": Commit({"code.py": SCRIPT, "README.md": b"# Code\n"})})
    said = user.fit(COLA, "--data.dataset=lab/code", "--data.subset=null").message
    assert "scripts are no longer supported" in said
    assert "lab/code@refs/convert/parquet may have its rows" in said


def test_weights_that_are_pickles(server: ReadingServer, user: User) -> None:
    files = {name: content for name, content in model_files(BERT).items() if name != "model.safetensors"}
    server.repos["lab/pickled"] = Repo({"main": Commit({**files, "pytorch_model.bin": b"\x80\x02" * 99})})
    done = user.fit(COLA, "--model.backbone=lab/pickled", DISABLE_SAFETENSORS_CONVERSION="1")
    assert "there are none in the format safetensors, and others, which can hold code, are not read" in done.message
    assert not [path for path in server.bodies() if path.endswith(".bin")]


def test_a_server_that_fails_for_a_while(server: ReadingServer, user: User) -> None:
    put(server, "lab/tired")
    server.illnesses = [Illness(r"/lab/tired/", times=2)]
    done = user.fit(COLA, "--model.backbone=lab/tired")
    assert done.code == 0, done.err
    assert done.warnings.count(f"{server.url} fails (503); it is asked again in ") == 2


@pytest.mark.slow
def test_a_server_that_fails(server: ReadingServer, user: User) -> None:
    put(server, "lab/failing")
    server.illnesses = [Illness(r"/lab/failing/", times=99)]
    done = user.fit(COLA, "--model.backbone=lab/failing")
    assert f"{server.url} fails (503): try again later" in done.message
    assert 7 <= done.seconds < 25
    assert len(server.seen) == 4, "waits of 1, 2 and 4 seconds between"


def test_too_many_requests(server: ReadingServer, user: User) -> None:
    put(server, "lab/busy")
    server.illnesses = [Illness(r"/lab/busy/", 429, times=99)]
    assert "has had too many requests: wait some minutes" in user.fit(COLA, "--model.backbone=lab/busy").message


@pytest.mark.parametrize("part", ["model.safetensors", "tokenizer.json"])
def test_a_connection_that_breaks(part: str, server: ReadingServer, user: User) -> None:
    """The rest is asked for, and put behind what came."""
    name = f"lab/broken-{part.partition('.')[0]}"
    put(server, name)
    server.illnesses = [Illness(rf"GET .*{part}", times=1, cut_after=1_000)]
    done = user.fit(COLA, f"--model.backbone={name}")
    assert done.code == 0, done.err
    assert whole(user.home, name, part) == [model_files(BERT)[part]]


@pytest.mark.slow
def test_a_connection_that_breaks_every_time(server: ReadingServer, user: User) -> None:
    files = model_files(BERT, seed=1)  # whose weights are not in the cache by another name
    server.repos["lab/cut"] = Repo({"main": Commit(files)})
    server.illnesses = [Illness(r"GET /storage/.*model.safetensors", times=99, cut_after=0)]
    said = user.fit(COLA, "--model.backbone=lab/cut").message
    assert f"'lab/cut' cannot be loaded: {server.url} cannot be reached, or the connection broke" in said
    assert whole(user.home, "lab/cut", "model.safetensors") == []
    server.illnesses = []
    assert user.fit(COLA, "--model.backbone=lab/cut").code == 0
    assert whole(user.home, "lab/cut", "model.safetensors") == [files["model.safetensors"]]


@pytest.mark.slow
def test_a_data_set_whose_files_break_off(server: ReadingServer, user: User) -> None:
    put(server, "datasets/lab/cut")
    server.illnesses = [Illness(r"GET .*lab/cut/.*train-", times=99, cut_after=100)]
    done = user.fit(COLA, "--data.dataset=lab/cut")
    assert "'lab/cut' (cola) cannot be loaded" in done.message
    assert "cannot be reached, or the connection broke" in done.message
    server.illnesses = []
    assert user.fit(COLA, "--data.dataset=lab/cut").code == 0


def whole(home: Path, name: str, file: str) -> list[bytes]:
    """What the cache gives as a file of a model."""
    return [p.read_bytes() for p in home.glob(f"hub/models--{name.replace('/', '--')}/snapshots/*/{file}")]


@pytest.mark.slow
def test_nobody_answers(new_user: Callable[..., User]) -> None:
    nobody = new_user(HF_ENDPOINT="http://127.0.0.1:9")
    done = nobody.fit(COLA)
    assert "'bert-base-uncased' cannot be loaded: http://127.0.0.1:9 cannot be reached" in done.message
    assert done.seconds < 20, "half a minute and more, as the libraries try"
    done = nobody.fit(COLA, LOCAL, "--data.tokenizer={train: wordpiece, vocab_size: 99}")
    assert "'nyu-mll/glue' (cola) cannot be loaded: http://127.0.0.1:9 cannot be reached" in done.message
    assert done.seconds < 20, "half a minute and more, as the libraries try"
