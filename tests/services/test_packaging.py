"""The distribution `streamflow` and the locks of its services agree with each other."""

import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from streamflow import __version__

from .conftest import SERVICES

PLATFORM = Path(__file__).parents[2] / "services"
PROJECT = tomllib.loads((PLATFORM / "pyproject.toml").read_text())["project"]
PIN = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9.-]*)==(?P<version>\S+)(?P<hashes>( \\\n    --hash=sha256:[0-9a-f]{64})*)"
)


def pins(file: str) -> dict[str, tuple[str, str]]:
    """Name to version and hashes of every requirement that a lock holds, all of them with wheels."""
    text = (PLATFORM / "requirements" / file).read_text()
    assert PIN.sub("", text).strip() == "--only-binary :all:"
    return {found["name"]: (found["version"], found["hashes"]) for found in PIN.finditer(text)}


def installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def test_there_is_an_extra_per_service() -> None:
    assert set(PROJECT["optional-dependencies"]) == set(SERVICES)


@pytest.mark.parametrize("service", SERVICES)
def test_a_lock_satisfies_its_extra(service: str) -> None:
    locked = pins(f"{service}.txt")
    wanted = map(Requirement, PROJECT["dependencies"] + PROJECT["optional-dependencies"][service])
    for requirement in wanted:
        pin, hashes = locked[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(pin), f"run services/requirements/lock: {requirement}"
        assert hashes


def test_locks_agree_on_versions_and_hashes() -> None:
    constraints = pins("constraints.txt")
    seen: dict[str, tuple[str, str]] = {}
    for service in SERVICES:
        for name, pin in pins(f"{service}.txt").items():
            assert constraints[name][0] == pin[0]
            assert seen.setdefault(name, pin) == pin
    assert set(seen) == set(constraints)


def test_these_tests_run_on_the_locked_versions() -> None:
    assert {name: pin for name, (pin, _) in pins("constraints.txt").items() if pin != installed(name)} == {}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_imports_nothing_beyond_its_lock(service: str) -> None:
    """Every package of the platform's that a start imports is locked, else its image wouldn't start."""
    # uvicorn takes what it finds in this environment; here only what the service itself imports counts.
    program = (
        f"import sys, streamflow.{service}.__main__\n"
        "from importlib.metadata import packages_distributions as by_package\n"
        "tops = {name.partition('.')[0] for name in sys.modules}\n"
        "print(*sorted({d.lower().replace('_', '-') for t in tops for d in by_package().get(t, ())}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    platform = set(pins("constraints.txt"))
    assert set(done.stdout.split()) & platform <= set(pins(f"{service}.txt"))


def test_the_wheel_holds_the_sources_and_nothing_else(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=PLATFORM,
        capture_output=True,
        check=True,
    )
    (wheel,) = tmp_path.iterdir()
    assert wheel.name == f"streamflow-{__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
        metadata = archive.read(f"streamflow-{__version__}.dist-info/METADATA").decode()
    sources = {
        str(path.relative_to(PLATFORM))
        for path in (PLATFORM / "streamflow").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert packed == sources
    for service in SERVICES:
        assert f"Provides-Extra: {service}\n" in metadata
