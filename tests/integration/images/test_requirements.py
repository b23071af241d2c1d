"""What is installed, by the templates that the tool ships: locked requirements, and packages."""

from __future__ import annotations

import re
import shutil
import subprocess
import zipfile
from typing import Any

import pytest

from ..shop import PROJECT, Shop, seconds_hidden

BASE = "python:3.11-slim"


@pytest.fixture(scope="module")
def python_base(default_store: Any) -> str:
    """Python's image, or its stand-in, is on the engine."""
    done = subprocess.run(
        [PROJECT / "scripts/bases", "--config", PROJECT / "streamflow.yaml"],
        env=default_store.environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return BASE


@pytest.fixture
def stocked(shop_here: Shop, python_base: str) -> Shop:
    """The project with the shipped templates; beta requires a small package, as this checkout locked it."""
    shutil.rmtree(shop_here.folder / "templates")
    config = shop_here.folder / "streamflow.yaml"
    config.write_text(config.read_text().replace(shop_here.base, python_base))
    locked = re.search(r"^iniconfig==.*\\\n(?:    --hash=.*\n)+", LOCK, re.MULTILINE)
    assert locked
    shop_here.write("beta.txt", locked[0])
    return shop_here


LOCK = (PROJECT / "requirements.lock").read_text()


def output(shop: Shop, service: str, *command: str) -> str:
    """What a command prints in a container of the service's image."""
    done = subprocess.run(
        ["docker", "run", "--rm", f"{shop.name}-{service}:latest", *command],
        env=shop.live.environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr


def test_a_requirement_is_in_the_image_of_its_service_alone(stocked: Shop) -> None:
    stocked.outcomes("v1.0.0")

    assert output(stocked, "beta", "python", "-c", "import iniconfig; print('here')") == "here\n"
    assert "No module named 'iniconfig'" in output(stocked, "alpha", "python", "-c", "import iniconfig")
    assert output(stocked, "beta", "id", "-u") == "10001\n"


def test_a_requirement_that_does_not_exist(stocked: Shop) -> None:
    stocked.write("alpha.txt", f"no-such-{stocked.name}==1.0 \\\n    --hash=sha256:{'0' * 64}\n")

    done = stocked.images("v1.0.0")

    assert done.returncode == 4
    assert stocked.tags("alpha") == {}
    assert "latest" in stocked.tags("beta")
    message = done.stderr.partition("\n\n")[2]
    assert re.match(r"alpha failed in \[image 1/3\] RUN .* after \d", message)
    assert re.search(r"\n  docker/alpha/Dockerfile:\d+: RUN ", message)
    assert (
        f"\n  The requirement no-such-{stocked.name}==1.0 does not exist in the package index.\n" in message
    )
    assert message.endswith("streamflow-build: 1 of 2 images could not be built: alpha.\n")


def test_a_requirement_with_another_hash(stocked: Shop) -> None:
    stocked.write("alpha.txt", f"idna==3.10 \\\n    --hash=sha256:{'0' * 64}\n")

    done = stocked.images("v1.0.0", "--only", "alpha")

    assert done.returncode == 4
    assert (
        "\n  What the package index holds as idna==3.10 has another hash than the one locked.\n"
        in done.stderr
    )
    assert stocked.tags("alpha") == {}


class TestPackages:
    @pytest.fixture
    def packed(self, stocked: Shop) -> Shop:
        """Alpha is installed from a wheel in the project."""
        wheels = stocked.folder / "wheels"
        wheels.mkdir()
        info = "larder-1.2.0.dist-info"
        with zipfile.ZipFile(wheels / "larder-1.2.0-py3-none-any.whl", "w") as wheel:
            wheel.writestr("larder.py", "print('of the larder')\n")
            wheel.writestr(
                f"{info}/METADATA",
                "Metadata-Version: 2.1\nName: larder\nVersion: 1.2.0\nProvides-Extra: alpha\n",
            )
            wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{info}/RECORD", "")
        config = stocked.folder / "streamflow.yaml"
        config.write_text(
            config.read_text()
            .replace("requirements: alpha.txt", "package: {name: larder, wheels: wheels}")
            .replace("sources: [alpha]", "install: package")
            .replace("module: alpha", "module: larder")
            .replace("  sources: [shared]\n", "")
            .replace("sources: [beta]", "sources: [beta, shared]")
        )  # fmt: skip
        return stocked

    def test_the_version_is_what_is_installed(self, packed: Shop) -> None:
        assert packed.outcomes("1.2.0") == {"alpha": "built: no image yet", "beta": "built: no image yet"}

        assert output(packed, "alpha") == "of the larder\n"
        assert packed.outcomes("1.2.0") == {"alpha": "unchanged", "beta": "unchanged"}

    def test_a_version_that_does_not_exist(self, packed: Shop) -> None:
        done = packed.images("1.3.0", "--only", "alpha")

        assert done.returncode == 4
        assert "\n  The requirement larder==1.3.0 does not exist in the package index.\n" in seconds_hidden(
            done.stderr
        )

    def test_without_a_version(self, packed: Shop) -> None:
        done = packed.images()

        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == (
            "streamflow-build: Service 'alpha' is installed from a package, so its image needs a version.\n"
            "Name it: streamflow-build images 1.0.0\n"
        )
