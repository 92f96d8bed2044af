"""Devices by their names, their drivers' names, and in numbers."""

from __future__ import annotations

import pytest

from pretune.cli.costs.hardware import DEVICES, cluster, dtype_of, find, peak_flops
from pretune.errors import InputError


@pytest.mark.parametrize(
    ("driver", "name"),
    [
        ("NVIDIA H100 80GB HBM3", "h100"),
        ("NVIDIA H100 PCIe", "h100-pcie"),
        ("NVIDIA H200", "h200"),
        ("NVIDIA GH200 480GB", "gh200"),
        ("NVIDIA A100-SXM4-80GB", "a100-80"),
        ("NVIDIA A100-SXM4-40GB", "a100"),
        ("NVIDIA RTX A6000", "a6000"),
        ("Tesla V100-SXM2-32GB", "v100-32"),
        ("Tesla T4", "t4"),
        ("NVIDIA L4", "l4"),
        ("NVIDIA L40S", "l40s"),
        ("NVIDIA A10G", "a10g"),
        ("NVIDIA GeForce RTX 4090", "rtx4090"),
        ("AMD Instinct MI300X", "mi300x"),
    ],
)
def test_names_of_drivers(driver: str, name: str) -> None:
    device = find(driver)
    assert device is not None
    assert device.name == name


def test_every_device_is_found_by_its_own_name() -> None:
    for device in DEVICES:
        assert find(device.name) is device


def test_peaks() -> None:
    assert peak_flops("NVIDIA H100 80GB HBM3", "bfloat16") == 989e12
    assert peak_flops("Tesla T4", "bfloat16") is None
    assert peak_flops("AMD EPYC 9654", "float32") is None
    assert [dtype_of(p) for p in ("bf16-mixed", "16-mixed", "32-true", "bf16-true", "64-true")] == [
        "bfloat16",
        "float16",
        "float32",
        "bfloat16",
        "float64",
    ]
    assert peak_flops("NVIDIA H100 80GB HBM3", "float64") is None


def test_clusters() -> None:
    assert cluster("h100x512") == (find("h100"), 512)
    assert cluster("A100-80")[1] == 1
    assert [cluster(text)[1] for text in ("rtx4090", "rtx4090x2", "mi300xx8")] == [1, 2, 8]
    for wrong in ("abacus", "h100x0", "", "h100 x 8", "h100:8", "h100x-2", "h100x²", "xh100", "8xh100"):
        with pytest.raises(InputError, match=r"a100-80, .*x8 for eight"):
            cluster(wrong)
