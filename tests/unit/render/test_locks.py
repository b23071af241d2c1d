"""Locked requirements: read, and split into what all locks have and what one adds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamflow_build.errors import ConfigError
from streamflow_build.render.locks import Lock, Pinned, parse, split

A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64
RELOCK = "Write the lock anew, such as with: uv pip compile --generate-hashes"
OPTIONS = (
    "A lock may hold --only-binary :all: and --no-binary NAME; an index is set in pip's own configuration."
)


def test_all_that_a_lock_may_hold() -> None:
    text = f"""\
# a comment
--only-binary :all:
--no-binary=Compiled_One,other

Zope.Interface[test, docs]==1.0 ; python_version >= '3.11' \\
    --hash={B} \\
    --hash={A}
    # via something
compiled-one === 2.0 --hash={A}  # at the end\r
"""
    assert parse(text, "lock.txt") == Lock(
        (
            Pinned("compiled-one", "compiled-one===2.0", (A,)),
            Pinned("zope-interface", 'zope-interface[docs,test]==1.0; python_version >= "3.11"', (A, B)),
        ),
        wheels_only=True,
        no_binary=("compiled-one", "other"),
    )


def test_one_package_for_two_platforms() -> None:
    lock = parse(
        f"a==1 ; os_name == 'nt' --hash={A}\na==2 ; os_name != 'nt' --hash={B}\n",
        "lock.txt",
    )
    assert [pinned.specification for pinned in lock.pinned] == [
        'a==1; os_name == "nt"',
        'a==2; os_name != "nt"',
    ]


@pytest.mark.parametrize(
    ("line", "what", "hint"),
    [
        ("a>=1", "'a>=1' is not pinned to one version with ==", RELOCK),
        ("a", "'a' is not pinned to one version with ==", RELOCK),
        (f"a==1.* --hash={A}", "'a==1.*' is not pinned to one version with ==", RELOCK),
        (f"a==1,!=2 --hash={A}", "'a==1,!=2' is not pinned to one version with ==", RELOCK),
        ("a==1", "'a==1' has no --hash", RELOCK),
        ("a==1 --hash=md5:0", "'--hash=md5:0' is no --hash=sha256: and 64 hexadecimal digits", RELOCK),
        (f"a==1 --hash {A}", f"'--hash {A}' is no --hash=sha256: and 64 hexadecimal digits", RELOCK),
        (
            "a==1 --config-settings=x",
            "'--config-settings=x' is no --hash=sha256: and 64 hexadecimal digits",
            RELOCK,
        ),
        ("no requirement", "'no requirement' is no requirement such as name==1.0", RELOCK),
        (
            f"a @ https://user:secret@files.example/a-1.whl --hash={A}",
            "'a' comes from an address, and a lock pins versions",
            "Publish it to a package index of yours, and pin its version.",
        ),
        (
            "--index-url https://user:secret@index.example",
            "the option '--index-url' can't be used like this in a lock",
            OPTIONS,
        ),
        ("-e .", "the option '-e' can't be used like this in a lock", OPTIONS),
        ("--only-binary a", "the option '--only-binary' can't be used like this in a lock", OPTIONS),
        ("--no-binary :all:", "the option '--no-binary' can't be used like this in a lock", OPTIONS),
    ],
)
def test_wrong(line: str, what: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(f"# first\n\n{line}\n", "locks/web.txt")
    assert str(caught.value) == f"locks/web.txt:3: {what}.\n{hint}"


def test_the_same_twice() -> None:
    with pytest.raises(ConfigError) as caught:
        parse(f"A==1 \\\n --hash={A}\na==1 --hash={A}", "locks/web.txt")
    assert str(caught.value) == f"locks/web.txt:3: 'a==1' is already on line 1.\n{RELOCK}"


@pytest.mark.parametrize(
    ("text", "compiling"),
    [
        ("", "never"),
        (f"a==1 --hash={A}", "perhaps"),
        (f"--only-binary :all:\na==1 --hash={A}", "never"),
        (f"--only-binary :all:\n--no-binary A\na==1 --hash={A}", "surely"),
        (f"--only-binary :all:\n--no-binary b\na==1 --hash={A}", "never"),
        (f"--no-binary a\na==1 --hash={A}", "surely"),
    ],
)
def test_whether_it_compiles(text: str, compiling: str) -> None:
    assert parse(text, "lock.txt").compiling == compiling


def test_what_one_lock_compiles_is_in_no_common_part() -> None:
    one, two = Pinned("one", "one==1", (A,)), Pinned("two", "two==1", (A,))
    found = split({"web": Lock((one, two)), "mail": Lock((one, two), no_binary=("two",))})
    assert found.common == Lock((one,))
    assert found.added == {"web": Lock((two,)), "mail": Lock((two,), no_binary=("two",))}


def test_other_hashes_make_another_requirement() -> None:
    found = split({"web": Lock((Pinned("a", "a==1", (A,)),)), "mail": Lock((Pinned("a", "a==1", (A, B)),))})
    assert found.common.pinned == ()


def test_nobody_has_a_lock() -> None:
    assert split({}).common == Lock(())


pinned = st.builds(
    lambda name, version, hashes: Pinned(name, f"{name}=={version}", tuple(sorted(hashes))),
    st.sampled_from("abcdef"),
    st.sampled_from("12"),
    st.sets(st.sampled_from((A, B)), min_size=1),
)
locks = st.builds(
    lambda found, wheels_only, no_binary: Lock(tuple(sorted(found)), wheels_only, tuple(sorted(no_binary))),
    st.sets(pinned),
    st.booleans(),
    st.sets(st.sampled_from("abcdef"), max_size=2),
)


@given(st.dictionaries(st.sampled_from(("web", "mail", "jobs")), locks, min_size=1))
def test_the_parts_are_the_whole(given_locks: dict[str, Lock]) -> None:
    found = split(given_locks)
    assert found.added.keys() == given_locks.keys()
    for name, lock in given_locks.items():
        own = found.added[name]
        assert tuple(sorted((*found.common.pinned, *own.pinned))) == lock.pinned
        assert (own.wheels_only, own.no_binary) == (lock.wheels_only, lock.no_binary)
    everywhere = set.intersection(*(set(lock.pinned) for lock in given_locks.values()))
    compiled = {name for lock in given_locks.values() for name in lock.no_binary}
    assert set(found.common.pinned) == {p for p in everywhere if p.name not in compiled}


@given(locks)
def test_what_is_written_reads_back(lock: Lock) -> None:
    assert parse(str(lock), "lock.txt") == lock
