"""Two processes on one GPU: `python processes.py SPEC.json` starts ours twice.

NCCL refuses two of them on one device; by gloo, which copies gradients through the machine's memory, both are taken
for machines with a GPU each. What is shown is that they learn together, and what it costs as far as that goes.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "speed")]
import turn  # noqa: E402

OURS = Path(__file__).resolve().parents[1] / "speed" / "ours.py"


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def run(spec: dict[str, Any]) -> dict[str, Any]:
    """Runs both; the first one's figures, which count the tokens of both."""
    folder = Path(spec["folder"])
    result = folder / "of-all.json"
    around = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "LOCAL_RANK": "0"}
    started = []
    for node in range(spec["nodes"]):
        own = folder / str(node)
        own.mkdir()
        told = {**spec, "folder": str(own), "result": str(result), "turn": None}
        (own / "spec.json").write_text(json.dumps(told))
        environment = {**os.environ, **around, "NODE_RANK": str(node), "PRETUNE_KEEP_MEMORY": "0"}
        started.append(subprocess.Popen([sys.executable, str(OURS), str(own / "spec.json")], env=environment))
    codes = [process.wait() for process in started]
    if any(codes):
        raise SystemExit(f"the processes ended with {codes}")
    found: dict[str, Any] = json.loads(result.read_text())
    return found


if __name__ == "__main__":
    given = json.loads(Path(sys.argv[1]).read_text())
    turn.wait_for_go(given)
    Path(given["result"]).write_text(json.dumps(run(given)))
