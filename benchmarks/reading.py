"""How a prepared corpus is read: memory and time by its size, and tokens a second from a disk, over HTTP, and far away.

    python benchmarks/reading.py [--shards 64] [--megabytes 4] [--seconds 10] [--smoke]

The first table has a process of its own for each size: shards of a million blocks of 1,024 tokens, as sparse files
(what they hold makes no difference, and nobody has the disk). `memory` is what the process takes for the order, the
plan and the first batch of 32 blocks of one of 64 processes, above what it took before; `first batch` are the seconds
for it from the moment the manifest is read.

The second reads real shards, written anew (`--shards` of `--megabytes`), in batches of 32 x 1,024 by one process, in
windows of 4 shards of which 16 fit into the cache, from a disk, over HTTP on the loopback interface, and over HTTP with
50 ms before each answer. `waits` is how long a step of the speed of an H100 (300,000 tokens/s) would have waited for
its batch in all, after the first second. `--smoke` sees that it works: its figures mean nothing.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import xxhash

from pretune.datamodules.batching.batch_plan import BatchPlan
from pretune.datamodules.batching.loader import ResumableLoader
from pretune.datamodules.example_form import ExampleForm
from pretune.datamodules.prepared.sharded import Sharded
from pretune.storage.prepared import Shard, ShardFile
from pretune.storage.shard_files import FetchedShards, LocalShards

BLOCK = 1024
SIZES = (10**6, 10**7, 10**8, 10**9, 10**10)
SPEED = 300_000
"""Tokens a second of a GPU."""
WINDOW, CACHED = 4, 16


class NoSpecialTokens:
    """A tokenizer as blocks need it."""

    pad_token_id = 0
    model_input_names = ("input_ids",)
    sep_token_id = None
    eos_token_id = 0


FORM = ExampleForm(NoSpecialTokens(), BLOCK, False, False, None, False, "")


def resident() -> float:
    """Megabytes that the process takes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


def first_batch(blocks: int, folder: Path) -> dict[str, float]:
    """What the first batch of so many blocks takes."""
    each = min(blocks, 10**6)
    count = blocks // each
    with (folder / "shard.bin").open("wb") as file:
        file.truncate(2 * each * BLOCK)
    files = LocalShards(folder, {"shard.bin": ShardFile(2 * each * BLOCK, "")}, folder)
    files.path = lambda name: folder / "shard.bin"  # type: ignore[method-assign]
    before, start = resident(), time.perf_counter()
    shards = [Shard(f"train-{number:05d}", 1, each * BLOCK, {}) for number in range(count)]
    counts = [FORM.count_blocks(shard.tokens) for shard in shards]
    dataset = Sharded(files, shards, "uint16", counts, FORM.examples)
    plan = BatchPlan(len(dataset), 32, shuffle=True, order=dataset.order, rank=5, world_size=64)
    batch = next(iter(ResumableLoader(dataset, plan)))
    assert batch["input_ids"].shape == (32, BLOCK)
    return {"blocks": len(dataset), "seconds": time.perf_counter() - start, "megabytes": resident() - before}


def by_size(sizes: tuple[int, ...]) -> None:
    """Print the first table."""
    print("| blocks | tokens | first batch, s | memory, MB |\n|--:|--:|--:|--:|")
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            args = [sys.executable, __file__, "--first", str(size), "--folder", folder]
            found = json.loads(subprocess.run(args, capture_output=True, text=True, check=True).stdout)
        print(f"| {found['blocks']:,} | {size * BLOCK:,} | {found['seconds']:.2f} | {found['megabytes']:.0f} |")


def write_shards(folder: Path, count: int, megabytes: float) -> list[Shard]:
    """Write shards of random ids."""
    shards, tokens = [], int(megabytes * 1e6) // 2
    for number in range(count):
        name = f"train-{number:05d}"
        content = np.random.default_rng(number).integers(0, 60_000, tokens, dtype=np.uint16).tobytes()
        (folder / f"{name}.bin").write_bytes(content)
        files = {f"{name}.bin": ShardFile(len(content), xxhash.xxh3_128_hexdigest(content))}
        shards.append(Shard(name, 1, tokens, files))
    return shards


@contextmanager
def served(folder: Path, delay: float) -> Iterator[str]:
    """Serve the files of a folder, in parts, after some seconds each."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            time.sleep(delay)
            path = folder / self.path.lstrip("/")
            part = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers["Range"])
            assert part is not None
            begin, end = int(part[1]), min(int(part[2]) + 1, path.stat().st_size)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {begin}-{end - 1}/{path.stat().st_size}")
            self.send_header("Content-Length", str(end - begin))
            self.end_headers()
            with path.open("rb") as file:
                file.seek(begin)
                self.wfile.write(file.read(end - begin))

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def read(files: LocalShards | FetchedShards, shards: list[Shard], seconds: float, paced: bool) -> dict[str, float]:
    """Read for some seconds, as fast as it goes or at the pace of a GPU."""
    dataset = Sharded(files, shards, "uint16", [FORM.count_blocks(s.tokens) for s in shards], FORM.examples, WINDOW)
    plan = BatchPlan(len(dataset), 32, shuffle=True, order=dataset.order)
    start = time.perf_counter()
    tokens, waited, first = 0, 0.0, 0.0
    asked = start
    for batch in ResumableLoader(dataset, plan):
        now = time.perf_counter()
        first = first or now - start
        if now - start > 1:
            waited += now - asked
        tokens += batch["input_ids"].numel()
        if now - start > seconds:
            break
        if paced:
            time.sleep(max(0.0, start + first + tokens / SPEED - time.perf_counter()))
        asked = time.perf_counter()
    passed = time.perf_counter() - start
    return {"speed": tokens / passed, "first": first, "waited": waited / passed}


def by_store(count: int, megabytes: float, seconds: float) -> None:
    """Print the second table."""
    print("\n| store | tokens/s | first batch, s | waits at 300,000 tokens/s |\n|---|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as place:
        (folder := Path(place, "shards")).mkdir()
        shards = write_shards(folder, count, megabytes)
        known = {name: file for shard in shards for name, file in shard.files.items()}
        limit = int(CACHED * megabytes * 1e6)
        rows: dict[str, Any] = {"disk": None, "HTTP": 0.0, "HTTP, 50 ms away": 0.05}
        for name, delay in rows.items():
            found = {}
            for paced in (False, True):
                mine = Path(place, f"{name}-{paced}")
                if delay is None:
                    found[paced] = read(LocalShards(folder, known, mine), shards, seconds, paced)
                    continue
                with served(folder, delay) as url:
                    found[paced] = read(FetchedShards(url, known, mine, limit), shards, seconds, paced)
            free, at_pace = found[False], found[True]
            print(f"| {name} | {free['speed']:,.0f} | {free['first']:.2f} | {100 * at_pace['waited']:.1f}% |")


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", type=int, default=64)
    parser.add_argument("--megabytes", type=float, default=4.0)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--first", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.first:
        print(json.dumps(first_batch(options.first, options.folder)))
        return
    by_size(SIZES[:2] if options.smoke else SIZES)
    sizes = (6, 0.2, 0.5) if options.smoke else (options.shards, options.megabytes, options.seconds)
    by_store(*sizes)


if __name__ == "__main__":
    main()
