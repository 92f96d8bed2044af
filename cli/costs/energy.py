"""How much energy a run took, where the machine counts it: NVIDIA's GPUs, and processors with Intel's RAPL counters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

RAPL = Path("/sys/class/powercap")
JOULES = 3.6e6
"""Of a kilowatt hour."""


class EnergyMeter:
    """Reads the machine's counters when a run begins and when it ends.

    They count the whole machine: whatever else runs there is in them, and the report says so.

    Args:
        powercap: the folder of the processors' counters.
    """

    def __init__(self, powercap: Path = RAPL) -> None:
        self.powercap = powercap
        self._begin: dict[str, tuple[float, float]] = {}

    def start(self) -> None:
        """Read them."""
        self._begin = self._read()

    def stop(self) -> dict[str, Any] | None:
        """Return kilowatt hours since the start, and of what; None where nothing counts them."""
        begin, end = self._begin, self._read()
        joules = {}
        for name in begin.keys() & end.keys():
            (before, wraps), (after, _) = begin[name], end[name]
            joules[name] = after - before if after >= before else after - before + wraps
        if not joules:
            return None
        return {"kilowatt_hours": sum(joules.values()) / JOULES, "counted": sorted(joules)}

    def _read(self) -> dict[str, tuple[float, float]]:
        """Joules of each counter, and after how many it begins again."""
        return {**self._processors(), **_gpus()}

    def _processors(self) -> dict[str, tuple[float, float]]:
        found = {}
        for place in sorted(self.powercap.glob("intel-rapl:[0-9]*")):
            if place.name.count(":") > 1:
                continue  # a part of another one
            try:
                joules, wraps = (int((place / name).read_text()) / 1e6 for name in ("energy_uj", "max_energy_range_uj"))
                found[f"processor {place.name.partition(':')[2]}"] = (joules, wraps)
            except (OSError, ValueError):  # only root may read them on most machines
                continue
        return found


def _gpus() -> dict[str, tuple[float, float]]:
    try:
        import pynvml
    except ImportError:
        return {}
    found = {}
    try:
        pynvml.nvmlInit()
        for number in range(pynvml.nvmlDeviceGetCount()):
            handle = pynvml.nvmlDeviceGetHandleByIndex(number)
            found[f"GPU {number}"] = (pynvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1e3, 0.0)
    except pynvml.NVMLError:  # no driver, or an old card
        return found
    return found
