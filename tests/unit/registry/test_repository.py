"""What a repository's answers mean where no real registry gives such."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

import pytest
import requests

from streamflow_build.errors import RegistryError
from streamflow_build.registry.repository import Repository
from streamflow_build.registry.retry import Patience


class Endless:
    """A registry each of whose pages of tags names another."""

    host = "registry.example"

    def __init__(self) -> None:
        self.patience = Patience(lambda _: None)
        self._pages = count(1)

    def send(self, *_: Any, **__: Any) -> requests.Response:
        page = next(self._pages)
        made = requests.Response()
        made.status_code, made.url = 200, "https://registry.example/v2/org/web/tags/list"
        made._content = json.dumps({"tags": [f"t{page}"]}).encode()
        made.headers["Link"] = f'<?last=t{page}>; rel="next"'
        return made


def test_a_list_of_tags_without_an_end() -> None:
    with pytest.raises(RegistryError) as caught:
        Repository(Endless(), "org/web").tags()
    assert caught.value.message == (
        "registry.example/org/web lists its tags without an end, in more than 10000 pages."
    )


@pytest.mark.parametrize("tags", [{"tags": "abc"}, {"tags": [1]}, {"tags": {"a": 1}}, {}, [], None, "x"])
def test_what_is_no_list_of_tags(tags: Any) -> None:
    class Odd(Endless):
        def send(self, *_: Any, **__: Any) -> requests.Response:
            made = super().send()
            made._content = json.dumps(tags).encode()
            return made

    with pytest.raises(RegistryError, match="is no list of tags"):
        Repository(Odd(), "org/web").tags()
