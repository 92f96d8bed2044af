"""Builds a GPU that computes nothing, for the CUDA build of torch on a machine without one.

    python -m venv venv && venv/bin/pip install torch ...       # from PyPI: the CUDA build
    python tests/null_gpu/build.py venv/bin/python null          # needs cc, nm and the CUDA toolkit's headers
    LD_PRELOAD=null/libnull.so LD_LIBRARY_PATH=null PYTORCH_SKIP_CUDNN_COMPATIBILITY_CHECK=1 \\
        PYTORCH_NO_CUDA_MEMORY_CACHING=1 CUDA_VISIBLE_DEVICES=0 PRETUNE_NULL_GPU=1 venv/bin/python -m pytest tests/gpu
    ... venv/bin/python tests/null_gpu/waits.py fit --config ... --trainer.accelerator gpu
    ... PRETUNE_NULL_GPU=1 PYTORCH_NO_CUDA_MEMORY_CACHING=1 venv/bin/python benchmarks/gpu DATA --smoke --minutes 30

Every tensor on it holds zeros, or what was copied there (with torch's cache of memory: or what was there before), so
that no figure is of use, and what indexes by a result may fail. But whatever a GPU would be asked runs: tensors on two
devices, waiting for the device (`waits.py` lists where), kernels that refuse an input, layers that compile (triton
compiles them for an H100), and the version's own quirks.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
DEFINED = re.compile(r"^[\w* ]*?\**(\w+)\(", re.M)


def build(python: str, folder: Path, headers: Path) -> None:
    """Writes `libnull.so` and `libcuda.so.1`.

    Args:
        python: an interpreter that has the CUDA build of torch.
        folder: made if missing.
        headers: of the CUDA toolkit, of the major version that torch was built for.
    """
    site = Path(_output(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    asked: set[str] = set()
    for library in (site / "torch/lib").glob("*.so*"):
        asked |= set(re.findall(r" U (\w+)", _output("nm", "-D", "--undefined-only", str(library))))
    runtime = {name for name in asked if re.match(r"_*cuda|cublas|cudnn|nccl|cusparse|cufft|cusolver", name)}
    header = _output("cc", "-E", f"-I{headers}", str(headers / "cuda.h"))
    driver = set(re.findall(r"\b(cu[A-Z]\w+)\(", header)) | {name for name in asked if re.match(r"cu[A-Z]", name)}
    driver |= {f"{name}_v2" for name in driver if not re.search(r"_v\d$", name)}
    folder.mkdir(parents=True, exist_ok=True)
    for source, names, library in (
        ("runtime.c", runtime, "libnull.so"),
        ("driver.c", driver - {"cuGetProcAddress", "cuGetProcAddress_v2"}, "libcuda.so.1"),
    ):
        missing = sorted(names - set(DEFINED.findall((HERE / source).read_text())))
        others = folder / f"other_{source}"
        others.write_text("".join(f"long {name}(void) {{ return 0; }}\n" for name in missing))
        options = ("-O1", "-fPIC", "-shared", "-w", "-fno-builtin", f"-I{headers}", f"-Wl,-soname,{library}")
        subprocess.run(
            ["cc", *options, str(HERE / source), str(others), "-o", str(folder / library)],
            check=True,
        )


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    build(sys.argv[1], Path(sys.argv[2]), Path(*sys.argv[3:4] or ["/usr/local/cuda/include"]))
