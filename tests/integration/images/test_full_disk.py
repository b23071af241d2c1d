"""An engine whose disk is full: one of this test's own, with little room for its data."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import docker
import pytest

from ..scripts.conftest import able, make_checkout
from ..shop import Shop, seconds_hidden

__all__ = ["able"]


@pytest.fixture
def cramped(able: None, shop_here: Shop, short_folder: Path) -> Iterator[Shop]:
    """The project on an engine with 64 MB for its data."""
    checkout = make_checkout(short_folder / "checkout")
    data = checkout.state / "overlay2"
    data.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "room", data], check=True)
    try:
        started = checkout.run("engine", "start")
        assert started.returncode == 0, started.stderr
        host = checkout.shell("echo $DOCKER_HOST").strip()
        client = docker.APIClient(host)
        client.load_image(b"".join(shop_here.live.api.get_image(shop_here.base)))
        environ = {**shop_here.live.environ, "DOCKER_HOST": host}
        yield replace(shop_here, live=shop_here.live._replace(environ=environ, address=host, api=client))
        client.close()
    finally:
        stopped = checkout.run("engine", "stop")
        subprocess.run(["umount", data], check=True)
    assert stopped.returncode == 0, stopped.stderr


def test_a_full_disk_of_the_engine(cramped: Shop) -> None:
    cramped.step("alpha", "RUN dd if=/dev/zero of=/blob bs=1000000 count=100\n")

    done = cramped.images("v1.0.0", "--jobs", "1")

    assert done.returncode == 4
    assert cramped.tags("alpha") == {}
    assert "latest" in cramped.tags("beta")
    message = seconds_hidden(done.stderr).partition("\n\n")[2]
    assert message.startswith(
        "alpha failed in [4/4] RUN dd if=/dev/zero of=/blob bs=1000000 count=100 after N s\n"
        "  docker/alpha/Dockerfile:5: RUN dd if=/dev/zero of=/blob bs=1000000 count=100\n"
        "  The engine's disk is full: no space left on device.\n"
    )
    assert message.endswith(
        "  `docker system df` shows what fills it; `docker builder prune` and `docker image prune` free the "
        "most.\n"
        "  log: .streamflow/logs/alpha.log\n"
        "streamflow-build: 1 of 2 images could not be built: alpha.\n"
    )
