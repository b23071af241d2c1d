"""What every engine does, the real one with both image stores and the one in memory."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

import msgspec
import pytest

from streamflow_build.engine.interface import (
    BuildCancelled,
    BuildEvent,
    Engine,
    StepFailed,
    StepFinished,
    StepOutput,
    StepStarted,
)
from streamflow_build.errors import EngineError, RegistryError
from streamflow_build.model.image import BuildRequest, ContextFile

RequestOf = Callable[..., BuildRequest]
HELLO = ContextFile("hello.txt", 0o644, b"hello")


def quiet(_: BuildEvent) -> None:
    """Listens to nothing."""


def test_it_says_what_it_is(engine: Engine) -> None:
    info = engine.info()
    assert info.version[0].isdigit()
    assert info.cpus >= 1
    assert info.store in {"classic", "containerd"}


def test_an_unknown_image_is_none_and_has_no_history(engine: Engine, token: str) -> None:
    assert engine.image(f"streamflow-{token}:1") is None
    with pytest.raises(EngineError, match=f" holds no image streamflow-{token}:1[.]$"):
        engine.history(f"streamflow-{token}:1")


def test_a_built_image_has_its_tags_labels_and_layers(
    engine: Engine, request_of: RequestOf, token: str
) -> None:
    request = request_of("RUN echo {token}\nCOPY hello.txt /hello.txt\n", HELLO)

    built = engine.build(request, quiet)

    assert built.image.tags == request.tags
    assert built.image.labels.items() >= request.labels.items()
    assert built.image == engine.image(f"streamflow-{token}:1.0") == engine.image(built.image.id)
    layers = engine.history(built.image.id)
    assert layers[-1].step.startswith("COPY hello.txt /hello.txt")
    assert built.image.size == sum(layer.size for layer in layers)
    base = engine.image(f"streamflow-test-base:{os.getpid()}")
    assert base is not None
    assert built.image.size > base.size


def test_steps_come_from_the_cache_unless_told_otherwise(engine: Engine, request_of: RequestOf) -> None:
    request = request_of("RUN echo {token}\nCOPY hello.txt /hello.txt\n", HELLO)

    first = engine.build(request, quiet)
    again = engine.build(request, quiet)
    anew = engine.build(msgspec.structs.replace(request, no_cache=True), quiet)

    assert [(b.steps, b.cached) for b in (first, again, anew)] == [(2, 0), (2, 2), (2, 0)]
    assert again.image.diff_ids == first.image.diff_ids


def test_a_changed_file_is_built_again(engine: Engine, request_of: RequestOf) -> None:
    text = "RUN echo {token}\nCOPY hello.txt /hello.txt\n"
    first = engine.build(request_of(text, HELLO), quiet)
    changed = engine.build(request_of(text, ContextFile("hello.txt", 0o644, b"good bye")), quiet)

    assert (changed.steps, changed.cached) == (2, 1)
    assert changed.image.id != first.image.id


def test_the_observer_hears_of_every_step_and_line(engine: Engine, request_of: RequestOf, token: str) -> None:
    events: list[BuildEvent] = []

    engine.build(
        request_of("RUN echo one {token}; echo two\nCOPY hello.txt /hello.txt\n", HELLO), events.append
    )

    started = [event for event in events if isinstance(event, StepStarted)]
    finished = [event for event in events if isinstance(event, StepFinished)]
    assert [event.number for event in started] == list(range(1, len(started) + 1))
    assert {event.step for event in started} == {event.step for event in finished}
    assert not any(event.error for event in finished)
    steps = {event.step: event.name for event in started}
    lines = [
        (steps[event.step].partition("] ")[2], event.line)
        for event in events
        if isinstance(event, StepOutput)
    ]
    step = f"RUN echo one {token}; echo two"
    assert lines == [(step, f"one {token}"), (step, "two")]


def test_a_failed_step_says_which_where_and_what_it_printed(
    engine: Engine, request_of: RequestOf, token: str
) -> None:
    events: list[BuildEvent] = []
    printed = "; ".join(f"echo line {number}" for number in range(40))
    request = request_of(f"RUN echo {{token}}\n\n# a comment\nRUN {printed}; exit 3\n")

    with pytest.raises(StepFailed) as failure:
        engine.build(request, events.append)

    assert str(failure.value) == "The command ended with exit code 3."
    assert failure.value.step == f"[3/3] RUN {printed}; exit 3"
    assert failure.value.dockerfile_line == 5
    assert failure.value.output == tuple(f"line {number}" for number in range(10, 40))
    assert [event.name for event in events if isinstance(event, StepFinished) and event.error] == [
        failure.value.step
    ]
    assert engine.image(f"streamflow-{token}:1.0") is None


def test_a_file_that_is_not_in_the_context_is_named(engine: Engine, request_of: RequestOf) -> None:
    with pytest.raises(StepFailed) as failure:
        engine.build(request_of("COPY services/nope /nope\n", HELLO), quiet)
    assert failure.value.message == "services/nope is not in the build context."
    assert failure.value.dockerfile_line == 2


def test_a_base_that_can_not_be_had_is_named(engine: Engine, request_of: RequestOf, token: str) -> None:
    with pytest.raises(StepFailed) as failure:
        engine.build(request_of(f"FROM localhost:1/{token}:1\nCOPY hello.txt /\n", HELLO), quiet)
    assert failure.value.message.startswith(f"The base image localhost:1/{token}:1 is not available: ")
    assert failure.value.dockerfile_line == 2
    assert failure.value.step is None


def test_an_image_that_can_not_be_pulled_is_named(engine: Engine, token: str) -> None:
    with pytest.raises(RegistryError, match=f"^The image localhost:1/{token}:1 is not available: "):
        engine.pull(f"localhost:1/{token}:1", mirror=None, observer=lambda *_: None)
    with pytest.raises(RegistryError, match=r"^The image python:nope is not available through the mirror "):
        engine.pull("python:nope", mirror=f"localhost:1/{token}", observer=lambda *_: None)


def test_a_name_moves_from_one_image_to_another(engine: Engine, request_of: RequestOf, token: str) -> None:
    first = engine.build(request_of("RUN echo {token}\nCOPY hello.txt /a\n", HELLO), quiet).image
    other = (f"streamflow-{token}:other",)
    second = engine.build(request_of("RUN echo {token}\nCOPY hello.txt /b\n", HELLO, tags=other), quiet).image

    engine.tag(second.id, (f"streamflow-{token}:latest",))

    assert [image.tags for id_ in (first.id, second.id) if (image := engine.image(id_))] == [
        (f"streamflow-{token}:1.0",),
        (f"streamflow-{token}:latest", f"streamflow-{token}:other"),
    ]


def test_all_names_are_given_or_none(engine: Engine, request_of: RequestOf, token: str) -> None:
    first = engine.build(request_of("RUN echo {token}\nCOPY hello.txt /a\n", HELLO), quiet).image
    other = (f"streamflow-{token}:other",)
    second = engine.build(request_of("RUN echo {token}\nCOPY hello.txt /b\n", HELLO, tags=other), quiet).image
    refused = f"streamflow-{token}:new", f"streamflow-{token}:latest", f"Streamflow-{token}:Bad Name"

    with pytest.raises(
        EngineError, match=f" refused .* Streamflow-{token}:Bad Name: invalid reference format"
    ):
        engine.tag(second.id, refused)

    kept = [image.tags for id_ in (first.id, second.id) if (image := engine.image(id_))]
    assert kept == [first.tags, second.tags]


def test_a_name_may_be_given_from_several_places_at_once(
    engine: Engine, request_of: RequestOf, token: str
) -> None:
    images = []
    for name in ("a", "b", "c", "d"):
        request = request_of(
            f"RUN echo {token}\nCOPY hello.txt /{name}\n", HELLO, tags=(f"streamflow-{token}:{name}",)
        )
        images.append(engine.build(request, quiet).image)
    wanted = tuple(f"streamflow-{token}:shared-{number}" for number in range(3))
    together = threading.Barrier(len(images))
    caught: list[EngineError] = []

    def give(image: str) -> None:
        together.wait(60)
        try:
            for _ in range(5):
                engine.tag(image, wanted)
        except EngineError as error:
            caught.append(error)

    threads = [threading.Thread(target=give, args=(image.id,)) for image in images]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert caught == []
    assert all(engine.image(name) is not None for name in wanted)


def test_cancelled_builds_end_without_a_tag_and_later_ones_are_refused(
    engine: Engine, request_of: RequestOf, token: str
) -> None:
    running = threading.Event()
    caught: list[BaseException] = []

    def observe(event: BuildEvent) -> None:
        if isinstance(event, StepOutput):
            running.set()

    def build() -> None:
        try:
            engine.build(request_of("RUN echo {token}; sleep 1000\n"), observe)
        except BuildCancelled as error:
            caught.append(error)

    thread = threading.Thread(target=build)
    thread.start()
    assert running.wait(60)
    engine.cancel()
    thread.join(60)

    assert [str(error) for error in caught] == ["The build of x was cancelled."]
    assert engine.image(f"streamflow-{token}:1.0") is None
    with pytest.raises(BuildCancelled, match=r"^The build of x was cancelled[.]$"):
        engine.build(request_of("RUN echo {token}\n"), quiet)


def test_a_repository_has_its_own_tags(engine: Engine, request_of: RequestOf, token: str) -> None:
    engine.build(request_of("RUN echo {token}\n"), quiet)

    assert engine.tags(f"streamflow-{token}") == {"1.0", "latest"}
    assert engine.tags(f"streamflow-{token}-other") == frozenset()
