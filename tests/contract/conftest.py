from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from streamflow_build.engine.docker_engine import connect
from streamflow_build.engine.fake import FakeEngine
from streamflow_build.engine.interface import Engine
from streamflow_build.model.image import Image

BASE = f"streamflow-test-base:{os.getpid()}"


@pytest.fixture(params=["fake", "default_store", "containerd_store"])
def engine(request: pytest.FixtureRequest, tidy: Callable[[object], None]) -> Iterator[Engine]:
    """Each engine that promises the contract, holding the same small base image."""
    if request.param == "fake":
        base = Image(
            id="sha256:" + "0" * 64,
            tags=(BASE,),
            digests=(),
            labels={},
            size=1000,
            diff_ids=("sha256:" + "1" * 64,),
        )
        yield FakeEngine([base])
        return
    live = request.getfixturevalue(request.param)
    tidy(live)
    real = connect(live.environ)
    yield real
    real.close()
