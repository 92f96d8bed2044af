"""Models and data sets of a hub: read once, then from the cache, of the commit that was asked for."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hub_models import add_models, model_files  # type: ignore[import-not-found]
from hub_sets import add_sets, repository  # type: ignore[import-not-found]
from hub_user import User  # type: ignore[import-not-found]
from public_sets import CASES, make
from reading_server import Commit, Illness, ReadingServer, Repo  # type: ignore[import-not-found]

BERT = "google-bert/bert-base-uncased"
COLA = "finetune/glue/cola"
NOBODY = "http://127.0.0.1:9"
"""A server that refuses the connection."""


@pytest.fixture(scope="module")
def reader(server: ReadingServer, user: User) -> User:
    """Somebody who has read a model and a set by their public names, and a set of two versions."""
    add_models(server.repos, [BERT])
    add_sets(server.repos, ["glue/cola"])
    add_versions(server)
    for words in ([], ["--data.dataset=lab/versions@v1"], ["--data.dataset=lab/versions"]):
        done = user.fit(COLA, *words)
        assert done.code == 0, done.err
    return user


def add_versions(server: ReadingServer) -> None:
    """A set whose tag `v1` has 4 rows a split, and its main branch 6; and a model of two versions."""
    old, new = (repository("lab/versions", {"cola": make(CASES["glue/cola"], rows)}) for rows in (4, 6))
    server.repos["datasets/lab/versions"] = Repo({"main": new.revisions["main"], "v1": old.revisions["main"]})
    older, newer = (Commit(model_files(BERT, seed)) for seed in (1, 2))
    server.repos["lab/versions"] = Repo({"main": newer, "v1": older})


def test_the_second_time_no_file_is_sent(reader: User, server: ReadingServer, new_user: Callable[..., User]) -> None:
    server.forget()
    again = new_user(reader.folder)
    assert again.fit(COLA).code == 0
    assert server.bodies() == []
    asked = [seen.path for seen in server.seen if seen.path.startswith("/bert-base-uncased/")]
    assert set(asked) == {"/bert-base-uncased/resolve/main/config.json"}, "its commit, and nothing else"
    assert not [seen for seen in server.seen if seen.path.startswith("/api/models/bert-base-uncased?")]


@pytest.mark.slow
def test_of_a_new_commit_what_is_new_is_read(
    reader: User, server: ReadingServer, new_user: Callable[..., User]
) -> None:
    old = server.repos[BERT].revisions["main"]
    new = Commit({**old.files, "model.safetensors": model_files(BERT, seed=3)["model.safetensors"]})
    server.repos[BERT] = Repo({"main": new, "before": old})
    assert new_user(reader.folder).fit(COLA).code == 0
    assert [path.rpartition("/")[2] for path in server.bodies()] == ["model.safetensors"]
    assert reader.fit(COLA).code == 0, "a process stays with the commit that it began with"


@pytest.mark.parametrize("how", ["no server", pytest.param("offline", marks=pytest.mark.slow)])
def test_the_cache_is_read_where_nothing_answers(how: str, reader: User, new_user: Callable[..., User]) -> None:
    alone = new_user(reader.folder, **{"HF_HUB_OFFLINE": "1"} if how == "offline" else {"HF_ENDPOINT": NOBODY})
    done = alone.fit(COLA)
    assert done.code == 0, done.err
    for name in ("bert-base-uncased", "nyu-mll/glue"):
        told = f"warning: {name} is read from the cache, as it was last time: {NOBODY} cannot be reached"
        assert done.warnings.count(told) == (how == "no server")
    for words, rows in ((["--data.dataset=lab/versions@v1"], 4), (["--data.dataset=lab/versions"], 6)):
        done = alone.fit(COLA, *words)
        assert f"train: {rows} rows" in done.err, "of the commit that was asked for, not of the last one read"
    why = "to stay offline: unset $HF_HUB_OFFLINE" if how == "offline" else f"{NOBODY} cannot be reached"
    for words in (
        ["--data.dataset=lab/versions@v2"],
        ["--data.dataset=lab/other"],
        ["--data.subset=sst2"],
        ["--model.backbone=lab/versions"],
        ["--data.tokenizer=lab/versions"],
        ["--model.backbone={name: bert-base-uncased, revision: v1}"],
    ):
        done = alone.fit(COLA, *words)
        assert why in done.message, words
        assert done.seconds < 20


def test_a_revision_of_a_model(reader: User, server: ReadingServer) -> None:
    for revision in ("v1", server.repos["lab/versions"].revisions["v1"].sha, "main"):
        done = reader.fit(COLA, f"--model.backbone={{name: lab/versions, revision: {revision}}}")
        assert done.code == 0, done.err
    held = list(reader.home.glob("hub/models--lab--versions/snapshots/*/model.safetensors"))
    commits = server.repos["lab/versions"].revisions
    assert {path.parent.name: path.read_bytes() for path in held} == {
        commit.sha: commit.files["model.safetensors"] for commit in commits.values()
    }


def test_a_set_that_breaks_off_is_no_older_one(reader: User, server: ReadingServer) -> None:
    """`datasets` would take the commit that it has read last."""
    repo = server.repos["datasets/lab/moving"] = Repo(dict(server.repos["datasets/lab/versions"].revisions))
    assert reader.fit(COLA, "--data.dataset=lab/moving@v1").code == 0
    server.illnesses = [Illness("/api/datasets/lab/moving/tree/", 400, times=99)]
    said = reader.fit(COLA, "--data.dataset=lab/moving").message
    old, new = (repo.revisions[name].sha for name in ("v1", "main"))
    assert f"the cache holds another commit ({old}) than main, which is {new}: try again" in said
