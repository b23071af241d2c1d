"""A secret reaches the step that asks for it, and is in no output, log, label, history or layer."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..shop import Shop

STEP = """\
RUN --mount=type=secret,id=key,required=true \\
    echo reached: && cat /run/secrets/key && echo marker-of-a-layer > /marker && {last}
"""


@pytest.fixture
def secret(token: str) -> str:
    return f"s3cret/{token}+of the shop"


@pytest.fixture
def keyed(shop_here: Shop) -> Shop:
    return with_key(shop_here)


@pytest.fixture
def keyed_on_both(shop: Shop) -> Shop:
    return with_key(shop)


def with_key(shop: Shop) -> Shop:
    shop.configure(alpha=", secrets: [{id: key, env: SHOP_KEY}]")
    return shop


def contents(archive: bytes) -> Iterator[bytes]:
    """Every file of a saved image, the layers' files too, however they are packed."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar.getmembers():
            yield member.name.encode()
            file = tar.extractfile(member) if member.isfile() else None
            if file is None:
                continue
            data = file.read()
            data = gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
            if data[257:262] == b"ustar":
                yield from contents(data)
            else:
                yield data


def everything(shop: Shop) -> bytes:
    """All that the engine says of alpha's image and all that is in it."""
    name = f"{shop.name}-alpha:latest"
    told = json.dumps([shop.live.api.inspect_image(name), shop.live.api.history(name)]).encode()
    archive = b"".join(shop.live.api.get_image(name))
    return b"\n".join([told, *contents(archive)])


def test_a_secret_is_nowhere_afterwards(keyed_on_both: Shop, secret: str) -> None:
    keyed_on_both.step("alpha", STEP.format(last="true"))

    done = keyed_on_both.images("v1.0.0", "--json", SHOP_KEY=secret)

    assert done.returncode == 0, done.stderr
    found = everything(keyed_on_both)
    assert b"marker-of-a-layer" in found
    assert b"org.streamflow.fingerprint" in found
    assert secret.encode() not in found
    log = keyed_on_both.log("alpha")
    assert " | reached:\n" in log
    assert " | ***\n" in log
    assert secret not in log + done.stdout + done.stderr
    assert not [
        p for p in keyed_on_both.folder.rglob("*") if p.is_file() and secret.encode() in p.read_bytes()
    ]


def test_a_failing_step_does_not_show_it(keyed: Shop, secret: str) -> None:
    keyed.step("alpha", STEP.format(last="false"))

    text = keyed.images("--only", "alpha", SHOP_KEY=secret)
    data = keyed.report("--only", "alpha", code=4, SHOP_KEY=secret)

    assert text.returncode == 4
    assert "    reached:\n    ***\n" in text.stderr
    assert data["images"][0]["output"] == ["reached:", "***"]
    assert secret not in text.stdout + text.stderr + json.dumps(data) + keyed.log("alpha")


def test_a_secret_of_a_file(shop_here: Shop, secret: str, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{secret}\n")
    shop_here.configure(alpha=", secrets: [{id: key, file: ../key}]")
    shop_here.step("alpha", STEP.format(last="true"))

    done = shop_here.images("--only", "alpha")

    assert done.returncode == 0, done.stderr
    assert " | ***\n" in shop_here.log("alpha")
    assert secret.encode() not in everything(shop_here)


def test_a_secret_that_is_not_set(keyed: Shop) -> None:
    done = keyed.images(SHOP_KEY=None)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "streamflow-build: The service 'alpha' needs the secret 'key', and SHOP_KEY is not set.\n"
        "Set the environment variable SHOP_KEY to its value.\n"
    )
    assert keyed.tags("alpha") == keyed.tags("beta") == {}


def test_a_service_that_is_not_built_needs_no_secret(keyed: Shop) -> None:
    assert keyed.outcomes("--only", "beta", SHOP_KEY=None) == {"beta": "built: no image yet"}


def test_another_value_of_a_secret_is_no_other_image(shop_here: Shop, secret: str) -> None:
    with_key(shop_here).step("alpha", STEP.format(last="true"))
    shop_here.outcomes("--only", "alpha", SHOP_KEY=secret)

    assert shop_here.outcomes("--only", "alpha", SHOP_KEY="another") == {"alpha": "unchanged"}
