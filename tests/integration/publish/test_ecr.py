"""Repositories at Amazon's ECR, by a server of moto's that answers as AWS does."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import httpx
import pytest

from streamflow_build.errors import RegistryError
from streamflow_build.registry.ecr import create_repositories

from .registries import free_port

HOST = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """The address of an AWS of this test's own, which boto3 takes for the real one."""
    url = f"http://127.0.0.1:{free_port()}"
    command = [
        Path(sys.executable).parent / "moto_server",
        "--host",
        "127.0.0.1",
        "--port",
        url.rpartition(":")[2],
    ]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while not answers(url):
        assert time.monotonic() < deadline, "moto does not answer"
        time.sleep(0.1)
    for name, value in {
        "AWS_ENDPOINT_URL_ECR": url,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
    }.items():
        monkeypatch.setenv(name, value)
    yield url
    server.kill()
    server.wait()


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/moto-api/").status_code < 500
    except httpx.HTTPError:
        return False


def test_what_is_missing_is_made(aws: str) -> None:
    create_repositories(HOST, ["team/web", "team/mail"])
    create_repositories(HOST, ["team/web", "team/data"])

    client = boto3.client("ecr", region_name="eu-west-1")
    there = {each["repositoryName"] for each in client.describe_repositories()["repositories"]}
    assert there == {"team/web", "team/mail", "team/data"}
    elsewhere = boto3.client("ecr", region_name="us-east-1")
    assert elsewhere.describe_repositories()["repositories"] == []


def test_an_aws_that_does_not_answer(aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECR", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")

    with pytest.raises(RegistryError) as caught:
        create_repositories(HOST, ["team/web"])

    assert caught.value.message.startswith(f"The repository team/web can't be made at {HOST}: ")
    assert (
        caught.value.hint == "See that AWS's credentials are set, and that they allow ecr:CreateRepository."
    )
