"""A prepared corpus in a bucket; where s3fs and moto are installed (`pip install s3fs "moto[server]"`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prepared_corpora import write_prepared  # type: ignore[import-not-found]
from tests_support import sentence  # type: ignore[import-not-found]

from pretune.datamodules import CorpusDataModule
from pretune.errors import InputError
from pretune.storage.folders import Folder
from pretune.storage.prepared import read_manifest

pytest.importorskip("s3fs")
pytest.importorskip("moto")


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    import s3fs
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    s3fs.S3FileSystem.clear_instance_cache()
    s3fs.S3FileSystem().makedirs("corpora", exist_ok=True)
    yield "s3://corpora"
    server.stop()


def test_a_corpus_in_a_bucket(bucket: str, tokenizer: Any, tmp_path: Path) -> None:
    parts = [[sentence(number, 9) for number in range(begin, begin + 20)] for begin in range(0, 120, 20)]
    manifest = write_prepared(tmp_path / "local", tokenizer, {"train": parts, "validation": [parts[0][:4]]})
    folder = Folder(f"{bucket}/mine")
    for path in sorted((tmp_path / "local").rglob("*")):
        if path.is_file():
            folder.put(str(path.relative_to(tmp_path / "local")), path)
    assert read_manifest(f"{bucket}/mine") == manifest
    made = []
    for prepared in (f"{bucket}/mine", str(tmp_path / "local")):
        data = CorpusDataModule(prepared=prepared, block_size=16, batch_size=4, shuffle_window=2)
        data.prepare_data()
        data.setup("fit")
        made.append([str(batch["input_ids"].tolist()) for batch in data.train_dataloader()])
    assert made[0] == made[1]
    assert Counter(made[0]).most_common(1)[0][1] == 1


def test_what_is_not_there_and_what_may_not_be_read(bucket: str) -> None:
    with pytest.raises(InputError, match=r"s3://corpora/gone holds no prepared corpus"):
        read_manifest(f"{bucket}/gone")
    with pytest.raises(InputError, match=r"s3://nobody/mine"):
        read_manifest("s3://nobody/mine")
