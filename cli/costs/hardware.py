"""Peak speeds and memories of devices, from their makers' data sheets."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...errors import InputError


@dataclass(frozen=True)
class Device:
    """A kind of accelerator.

    Args:
        name: as it is asked for, such as `h100`.
        matches: what its driver calls it contains this (a regular expression, case ignored).
        teraflops: dense peak by dtype: `bfloat16`, `float16`, `float32` (with TF32 where it has that).
        gigabytes: of memory, 10^9 bytes.
        bandwidth: of its memory, 10^9 bytes a second.
        link: to its neighbors in one machine, 10^9 bytes a second in each direction.
    """

    name: str
    matches: str
    teraflops: dict[str, float]
    gigabytes: float
    bandwidth: float
    link: float


def _tensor(half: float, single: float) -> dict[str, float]:
    return {"bfloat16": half, "float16": half, "float32": single}


# Dense peaks (data sheets often give those of sparse matrices, twice as much). The first that matches is taken.
DEVICES = [
    Device("b200", r"\bB200", _tensor(2250, 1125), 180, 8000, 900),
    Device("gh200", r"GH200", _tensor(989, 494.7), 96, 4000, 450),
    Device("h200", r"\bH200", _tensor(989, 494.7), 141, 4800, 450),
    Device("h100-pcie", r"H100 PCIe", _tensor(756, 378), 80, 2000, 64),
    Device("h100-nvl", r"H100 NVL", _tensor(835, 417.5), 94, 3900, 300),
    Device("h100", r"\bH100", _tensor(989, 494.7), 80, 3350, 450),
    Device("a100-80", r"A100.*80GB", _tensor(312, 156), 80, 2039, 300),
    Device("a100", r"\bA100", _tensor(312, 156), 40, 1555, 300),
    Device("a40", r"\bA40\b", _tensor(149.7, 74.8), 48, 696, 56),
    Device("a6000", r"RTX A6000", _tensor(154.8, 77.4), 48, 768, 56),
    Device("l40s", r"\bL40S", _tensor(362, 183), 48, 864, 32),
    Device("l4", r"\bL4\b", _tensor(121, 60), 24, 300, 32),
    Device("a10g", r"\bA10G?\b", _tensor(125, 62.5), 24, 600, 32),
    Device("rtx5090", r"RTX 5090", _tensor(209.5, 104.8), 32, 1792, 32),
    Device("rtx4090", r"RTX 4090", _tensor(165.2, 82.6), 24, 1008, 32),
    Device("rtx3090", r"RTX 3090", _tensor(71, 35.6), 24, 936, 32),
    Device("v100-32", r"V100.*32GB", {"float16": 125, "float32": 15.7}, 32, 900, 150),
    Device("v100", r"\bV100", {"float16": 125, "float32": 15.7}, 16, 900, 150),
    Device("t4", r"\bT4\b", {"float16": 65, "float32": 8.1}, 16, 320, 32),
    Device("mi300x", r"MI300X", _tensor(1307.4, 653.7), 192, 5300, 448),
    Device("mi250x", r"MI250X", _tensor(383, 95.7), 128, 3277, 400),
]


def find(name: str) -> Device | None:
    """Return the device of a name, its own or its driver's (`NVIDIA H100 80GB HBM3`); None for unknown ones."""
    known = [device for device in DEVICES if device.name == name.lower()]
    known += [device for device in DEVICES if re.search(device.matches, name, re.IGNORECASE)]
    return known[0] if known else None


def peak_flops(name: str, dtype: str) -> float | None:
    """Dense peak of a device in FLOP/s, or None where it is not known.

    Args:
        name: its own or its driver's.
        dtype: `bfloat16`, `float16`, `float32` or `float64`, whose peaks nobody here knows.
    """
    device = find(name)
    teraflops = device.teraflops.get(dtype) if device is not None else None
    return teraflops * 1e12 if teraflops else None


def cluster(text: str) -> tuple[Device, int]:
    """Return what `h100x8` stands for: a device and how many there are.

    Raises:
        InputError: if it is not known.
    """
    devices = {device.name: device for device in DEVICES}
    # The whole text, as what a driver's name merely contains (`h100x-2`) would be taken for one device.
    match = re.fullmatch(f"({'|'.join(map(re.escape, devices))})(?:x([1-9][0-9]{{0,6}}))?", text.strip().lower())
    if match is None:
        names = ", ".join(sorted(devices))
        raise InputError(f"--hardware {text} is not known; one of {names}, with x8 for eight of them, would work.")
    return devices[match[1]], int(match[2] or 1)


def dtype_of(precision: str) -> str:
    """Return the dtype that matrices are multiplied in under a trainer's precision."""
    return {"bf16": "bfloat16", "16": "float16", "64": "float64"}.get(precision.partition("-")[0], "float32")
