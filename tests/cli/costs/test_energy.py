"""Energy counters of processors: read where they are, and they begin again at their end."""

from __future__ import annotations

from pathlib import Path

import pytest

from pretune.cli.costs.energy import EnergyMeter


def counter(folder: Path, joules: float) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "energy_uj").write_text(f"{int(joules * 1e6)}\n")
    (folder / "max_energy_range_uj").write_text(f"{int(1e4 * 1e6)}\n")


def test_processors_are_counted_and_their_parts_are_not(tmp_path: Path) -> None:
    for name in ("intel-rapl:0", "intel-rapl:1", "intel-rapl:0:0"):
        counter(tmp_path / name, 100)
    meter = EnergyMeter(tmp_path)
    meter.start()
    counter(tmp_path / "intel-rapl:0", 3700)  # 3,600 joules are a watt hour
    counter(tmp_path / "intel-rapl:1", 50)  # it began again after 10,000
    counter(tmp_path / "intel-rapl:0:0", 9000)
    energy = meter.stop()
    assert energy is not None
    assert energy["kilowatt_hours"] == pytest.approx((3600 + 9950) / 3.6e6)
    assert energy["counted"] == ["processor 0", "processor 1"]


def test_nothing_is_said_where_nothing_counts(tmp_path: Path) -> None:
    meter = EnergyMeter(tmp_path)
    meter.start()
    assert meter.stop() is None
