"""What an installed copy holds, and that the pinned versions cover what it depends on."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def source_files() -> list[str]:
    """The files that a commit of everything would hold: no build leftovers, no virtual environment."""
    if not (ROOT / ".git").exists():
        pytest.skip("only a git checkout can tell its sources from build leftovers")
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return sorted(name for name in set(listed.stdout.split("\0")) if name and (ROOT / name).is_file())


def python(*args: str | Path, cwd: Path) -> None:
    done = subprocess.run([sys.executable, *map(str, args)], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A copy of the sources, and their names."""
    copy, names = tmp_path_factory.mktemp("sources") / "some-clone", source_files()
    for name in names:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, copy / name)
    return copy, names


@pytest.fixture(scope="module", params=["tree", "sdist"])
def wheel(request: pytest.FixtureRequest, sources: tuple[Path, list[str]], tmp_path_factory: pytest.TempPathFactory):
    """The names in the wheel that is built from a clone (as `pip install .` does), and by way of an sdist."""
    out = tmp_path_factory.mktemp("out")
    origin = sources[0]
    if request.param == "sdist":
        build = f"from setuptools.build_meta import build_sdist; build_sdist({str(out)!r})"
        python("-c", build, cwd=origin)
        (archive,) = out.glob("*.tar.gz")
        with tarfile.open(archive) as tar:
            tar.extractall(out, filter="data")
        origin = out / archive.name.removesuffix(".tar.gz")
    python(
        "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation",
        "--no-index", "-w", out, ".", cwd=origin,
    )  # fmt: skip
    (archive,) = out.glob("*.whl")
    with zipfile.ZipFile(archive) as content:
        return [name for name in content.namelist() if not name.endswith("/")]


DATA = r"configs/.*\.yaml|cli/\w+/templates/.*"
"""Files of the package that are no code."""


def test_wheel_holds_the_package_and_nothing_else(wheel: list[str], sources: tuple[Path, list[str]]):
    info = f"pretune-{PROJECT['version']}.dist-info"
    assert {name.split("/")[0] for name in wheel} == {"pretune", info}
    assert f"{info}/licenses/LICENSE" in wheel

    elsewhere = re.compile(r"(tests|benchmarks|docs|\.[^/]*)/")
    expected = {
        f"pretune/{name}"
        for name in sources[1]
        if (name.endswith(".py") and not elsewhere.match(name)) or re.fullmatch(DATA, name)
    }
    assert {"pretune/__init__.py", "pretune/main.py", "pretune/modules/__init__.py"} <= expected
    # A folder that is missing here is probably missing in [tool.setuptools] packages.
    assert {name for name in wheel if name.startswith("pretune/")} == expected
    assert any(name.startswith("pretune/configs/") for name in wheel)


def pins(file: str) -> dict[str, str]:
    pinned = {}
    for line in (ROOT / file).read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            match = re.fullmatch(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.]+)", line)
            assert match, f"not of the form name==version: {line!r}"
            pinned[canonicalize_name(match[1])] = match[2]
    return pinned


DIRECT = [Requirement(text) for text in PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"]]


@pytest.mark.parametrize("file", ["constraints.txt", "constraints-lowest.txt"])
def test_constraints_pin_every_dependency(file: str):
    pinned = pins(file)
    for wanted in DIRECT:
        name = canonicalize_name(wanted.name)
        assert name in pinned, f"{file} does not pin {name}"
        assert wanted.specifier.contains(pinned[name]), f"{file} pins {name}=={pinned[name]}, not {wanted}"


@pytest.mark.parametrize("wanted", DIRECT, ids=lambda wanted: wanted.name)
def test_lowest_versions_are_the_bounds(wanted: Requirement):
    """Else CI would try others than those that pyproject.toml promises."""
    (bound,) = [part.version for part in wanted.specifier if part.operator == ">="]
    found = Version(pins("constraints-lowest.txt")[canonicalize_name(wanted.name)])
    assert found.release[: len(Version(bound).release)] == Version(bound).release


def test_extras_have_one_bound():
    """`dev` repeats what the other extras hold."""
    extras = PROJECT["optional-dependencies"]
    for extra in ("lora", "tune", "cleaning", "onnx"):
        assert set(extras[extra]) <= set(extras["dev"])


def test_root_init_imports_next_to_nothing():
    """Every `import pretune.anything` pays for it; former names of files are found whichever comes first."""
    tree = ast.parse((ROOT / "__init__.py").read_text(encoding="utf-8"))
    imported = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert [node.module for node in imported if isinstance(node, ast.ImportFrom)] == ["moved"]
    heavy = "import sys, pretune; assert not {'torch', 'lightning', 'transformers', 'numpy'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", heavy], check=True)
    former = "from pretune.hints import FULL; assert FULL == 'full'"
    subprocess.run([sys.executable, "-W", "ignore", "-c", former], check=True)


def test_the_version_is_told_alike():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.findall(r"^version: (.+)$", citation, re.MULTILINE) == [PROJECT["version"]]
    assert f"\n## {PROJECT['version']}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
