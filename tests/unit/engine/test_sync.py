"""What a session sends of a context, as the other end of the call sees it."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from stat import S_IFDIR, S_IFLNK
from typing import Any

import pytest
from grpclib.client import StreamStreamMethod
from grpclib.exceptions import GRPCError
from grpclib.testing import ChannelFor

from streamflow_build.engine.answers import Methods
from streamflow_build.engine.messages import Packet
from streamflow_build.engine.methods import CONTEXT
from streamflow_build.engine.sync import PART
from streamflow_build.model.image import ContextFile

STAT, REQUEST, DATA, END, ERROR = range(5)
FILES = (
    ContextFile("Dockerfile", 0o644, b"FROM scratch\n"),
    ContextFile("app-more/c.py", 0o644, b"c"),
    ContextFile("app/a.sh", 0o755, b"a"),
    ContextFile("app/deep/b.py", 0o640, b"b"),
    ContextFile("app.txt", 0o644, b"txt"),
)

PATHS = [
    "Dockerfile", "app", "app/a.sh", "app/deep", "app/deep/b.py", "app-more", "app-more/c.py", "app.txt",
]  # fmt: skip


class Receiver:
    """The engine's end: what it was told of, and what the files hold that it asked for."""

    def __init__(self) -> None:
        self.stats: list[Any] = []
        self.contents: dict[int, bytes] = {}
        self.longest = 0

    async def receive(self, stream: Any, wanted: range | None = None) -> None:
        await stream.send_request()
        while (packet := await stream.recv_message()).HasField("stat"):
            assert packet.type == STAT
            self.stats.append(packet.stat)
        for number in range(len(self.stats)) if wanted is None else wanted:
            await stream.send_message(Packet(type=REQUEST, ID=number))
            content = b""
            while (packet := await stream.recv_message()).data:
                assert (packet.type, packet.ID) == (DATA, number)
                self.longest = max(self.longest, len(packet.data))
                content += packet.data
            self.contents[number] = content
        await stream.send_message(Packet(type=END), end=True)
        assert (await stream.recv_message()).type == END
        assert await stream.recv_message() is None

    @property
    def paths(self) -> list[str]:
        return [stat.path for stat in self.stats]


def received(*files: ContextFile, **asked: list[tuple[str, str]]) -> Receiver:
    receiver = Receiver()

    async def call() -> None:
        with ThreadPoolExecutor(1) as executor:
            async with ChannelFor([Methods({}, files, executor)]) as channel:
                method = StreamStreamMethod(channel, CONTEXT, Packet, Packet)
                async with method.open(metadata=asked.get("metadata", [])) as stream:
                    await receiver.receive(stream)

    asyncio.run(asyncio.wait_for(call(), 10))
    return receiver


def test_folders_come_before_their_files_in_the_order_of_the_paths_parts() -> None:
    receiver = received(*FILES)

    told = [(stat.path, oct(stat.mode & 0o777), stat.size) for stat in receiver.stats]
    assert told == [
        ("Dockerfile", "0o644", 13),
        ("app", "0o755", 0),
        ("app/a.sh", "0o755", 1),
        ("app/deep", "0o755", 0),
        ("app/deep/b.py", "0o640", 1),
        ("app-more", "0o755", 0),
        ("app-more/c.py", "0o644", 1),
        ("app.txt", "0o644", 3),
    ]
    folder = 1 << 31
    assert [
        path for path, stat in zip(receiver.paths, receiver.stats, strict=True) if stat.mode & folder
    ] == [
        "app",
        "app/deep",
        "app-more",
    ]
    assert {stat.modtime for stat in receiver.stats} == {315_532_800 * 10**9}
    assert receiver.contents[2] == b"a"
    assert receiver.contents[4] == b"b"


def test_a_link_is_told_with_where_it_leads() -> None:
    (stat,) = received(ContextFile("link", 0o755, b"", target="a.sh")).stats
    assert (stat.mode, stat.linkname, stat.size) == (1 << 27 | 0o777, "a.sh", 0)
    assert stat.mode & (S_IFLNK | S_IFDIR) == 0  # Go's bits, not those of stat(2)


@pytest.mark.parametrize("size", [0, 1, PART - 1, PART, PART + 1, 20 * PART + 7])
def test_a_file_of_any_size_arrives_whole_in_parts(size: int) -> None:
    content = bytes(number % 251 for number in range(size))
    receiver = received(ContextFile("a", 0o644, content))
    assert receiver.contents == {0: content}
    assert receiver.longest <= PART


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        (["Dockerfile", "Dockerfile.dockerignore"], ["Dockerfile"]),
        (["app"], ["app", "app/a.sh", "app/deep", "app/deep/b.py"]),
        (["/app/deep/"], ["app", "app/deep", "app/deep/b.py"]),
        (["app/deep/b.py"], ["app", "app/deep", "app/deep/b.py"]),
        ([".dockerignore"], []),
    ],
)
def test_only_what_the_engine_needs_is_sent(asked: list[str], sent: list[str]) -> None:
    assert received(*FILES, metadata=[("followpaths", path) for path in asked]).paths == sent


@pytest.mark.parametrize("asked", ["app/*.sh", "a?p", "[a]pp", "app\\*", "/", "."])
def test_all_is_sent_where_it_asks_for_a_pattern_or_the_root(asked: str) -> None:
    assert received(*FILES, metadata=[("followpaths", asked)]).paths == PATHS


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ("link", [*PATHS, "link"]),
        ("link/a.sh", [*PATHS, "link"]),
        ("Dockerfile", ["Dockerfile"]),
    ],
)
def test_all_is_sent_where_a_link_leads_on(asked: str, sent: list[str]) -> None:
    link = ContextFile("link", 0o755, b"", target="app")
    assert received(*FILES, link, metadata=[("followpaths", asked)]).paths == sent


def test_a_path_may_be_asked_for_percent_encoded() -> None:
    metadata = [("followpaths", "gr%C3%BC%C3%9Fe"), ("followpaths-encoded", "1")]
    files = (*FILES, ContextFile("grüße", 0o644, b""))
    assert received(*files, metadata=metadata).paths == ["grüße"]


def test_an_error_that_the_engine_tells_ends_the_call() -> None:
    async def call() -> None:
        with ThreadPoolExecutor(1) as executor:
            async with (
                ChannelFor([Methods({}, FILES, executor)]) as channel,
                StreamStreamMethod(channel, CONTEXT, Packet, Packet).open() as stream,
            ):
                await stream.send_message(Packet(type=ERROR, data=b"no space left"), end=True)
                while await stream.recv_message():
                    pass

    with pytest.raises(GRPCError, match="no space left"):
        asyncio.run(asyncio.wait_for(call(), 10))
