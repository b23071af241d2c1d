"""The run of ``images`` over an engine in memory: its order, its outcomes, and how it breaks off."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType

import pytest

from streamflow_build.engine.fake import FakeEngine
from streamflow_build.errors import EngineError, Interrupted
from streamflow_build.images.run import dry_run, present_bases
from streamflow_build.model.report import Built, Failed, PlannedImage, Skipped, Unchanged

from .conftest import BASE, Shop, Told, kinds, on

ALL = ("shop-web:1", "shop-web:1.0", "shop-web:1.0.0", "shop-web:latest", "shop-web:v1.0.0")


class TestBuilding:
    def test_one_after_the_other(self) -> None:
        shop, told = Shop(web="RUN echo web", mail="RUN echo mail"), Told()

        report, cause = shop.run(told)

        assert cause is None
        assert told.lines == [
            "start web: no image yet",
            "end web: Built",
            "start mail: no image yet",
            "end mail: Built",
            "finished",
        ]
        assert report == told.report
        assert shop.tags("web") == ALL

    def test_at_most_so_many_at_once(self) -> None:
        """Each build waits for the other: with one job they would never end."""
        meet = threading.Barrier(2, timeout=30)
        shop = Shop(web="RUN echo web", mail="RUN echo mail")

        report, _ = shop.run(Told(lambda *_: meet.wait() and None), jobs=2)

        assert kinds(report) == {"web": "Built", "mail": "Built"}

    def test_four_more_than_the_engine_has_cpus(self) -> None:
        names = [f"s{number}" for number in range(FakeEngine().info().cpus + 4)]
        meet = threading.Barrier(len(names), timeout=30)
        shop = Shop(**{name: f"RUN echo {name}" for name in names})

        report, _ = shop.run(Told(lambda *_: meet.wait() and None), jobs=None)

        assert kinds(report) == dict.fromkeys(names, "Built")

    def test_without_the_cache_all_at_once(self) -> None:
        """Only so do they share their layers."""
        names = ("web", "mail", "jobs", "shop")
        meet = threading.Barrier(len(names), timeout=30)
        shop = Shop(**{name: f"RUN echo {name}" for name in names})

        report, _ = shop.run(Told(lambda *_: meet.wait() and None), jobs=None, no_cache=True)

        assert kinds(report) == dict.fromkeys(names, "Built")

    def test_without_the_cache_fewer_cost_layers(self) -> None:
        told = Told()
        Shop(web="RUN echo web", mail="RUN echo mail").run(told, jobs=1, no_cache=True)

        assert told.lines[0] == (
            "note with --no-cache only images built at the same time share layers; --jobs is 1"
        )

    def test_the_facts_of_a_build(self) -> None:
        shop = Shop(web="COPY web /web\nRUN echo web")

        report, _ = shop.run(Told())

        (built,) = report.images
        assert isinstance(built, Built)
        assert (built.steps, built.cached, built.reason, built.log) == (2, 0, "no image yet", "logs/web.log")
        assert built.size.total == BASE.size + 1
        assert [layer.step for layer in built.size.largest_layers] == ["COPY web /web"]
        assert report.version == "1.0.0"

    def test_no_cache_reaches_the_engine(self) -> None:
        shop = Shop(web="RUN echo web")
        shop.run(Told())

        (built,) = shop.run(Told(), no_cache=True)[0].images

        assert isinstance(built, Built)
        assert (built.reason, built.cached) == ("--no-cache", 0)


class TestKeeping:
    def test_unchanged(self) -> None:
        shop, told = Shop(web="RUN echo web"), Told()
        shop.run(Told())

        report, _ = shop.run(told)

        assert told.lines == ["end web: Unchanged", "finished"]
        (kept,) = report.images
        assert isinstance(kept, Unchanged)
        assert kept.added == ()
        assert set(kept.tags) == set(ALL)

    def test_an_image_that_vanished_meanwhile(self) -> None:
        """Something else removed it between the plan and its execution."""
        shop = Shop(web="RUN echo web")
        shop.run(Told())
        goal = shop.goal("v1.0.0")
        planned = shop.planned(goal, present_bases(goal.services, shop.engine))
        shop.engine = FakeEngine([BASE])
        shop.planned = lambda *_: planned  # type: ignore[method-assign]

        report, cause = shop.run(Told())

        assert isinstance(cause, EngineError)
        (failed,) = report.images
        assert isinstance(failed, Failed)
        assert failed.message == "The engine no longer holds the image of 'web'."
        assert failed.hint == "Something else removes images on it; run the command again."

    def test_notes_of_tags_that_stay(self) -> None:
        shop, told = Shop(web="RUN echo web"), Told()
        shop.run(Told(), "v2.0.0")

        report, _ = shop.run(told, "v1.0.0")

        note = "latest stays on 2.0.0, which is newer than 1.0.0: web"
        assert report.notes == (note,)
        assert told.lines[0] == f"note {note}"


class TestFailing:
    def test_the_others_go_on(self) -> None:
        shop = Shop(web="RUN echo so far && exit 7", mail="RUN echo mail")

        report, cause = shop.run(Told())

        assert cause is None
        assert kinds(report) == {"web": "Failed", "mail": "Built"}
        failed = report.images[0]
        assert isinstance(failed, Failed)
        assert failed.message == "The command ended with exit code 7."
        assert (failed.dockerfile, failed.dockerfile_line) == ("docker/web/Dockerfile", 2)
        assert failed.dockerfile_text == "RUN echo so far && exit 7"
        assert failed.output == ("so far",)
        assert failed.log == "logs/web.log"
        assert shop.tags("web") == ()

    def test_a_base_that_cant_be_had(self) -> None:
        shop, told = Shop(web="RUN echo web", mail="RUN echo mail"), Told()
        on(shop, "absent:1")

        report, cause = shop.run(told)

        assert cause is None
        assert [image.service for image in report.images] == ["web", "mail"]
        assert kinds(report) == {"web": "Failed", "mail": "Built"}
        failed = report.images[0]
        assert isinstance(failed, Failed)
        assert failed.message == "The image absent:1 is not available: not found"
        assert [base.image for base in report.bases] == ["small:1"]
        assert told.lines[0] == "end web: Failed"

    def test_an_engine_that_goes_away_ends_the_run(self) -> None:
        shop = Shop(web="RUN echo web", mail="RUN echo mail")

        def leave(service: str, _: str) -> None:
            shop.engine.go_away()

        report, cause = shop.run(Told(leave))

        assert isinstance(cause, EngineError)
        assert cause.message == "The Docker Engine in memory went away."
        assert kinds(report) == {"web": "Failed", "mail": "Skipped"}
        assert report.images[1] == Skipped("mail", "the engine failed")


class TestInterrupting:
    @pytest.fixture(autouse=True)
    def _as_the_program_does(self) -> Iterator[None]:
        def interrupt(_number: int, _frame: FrameType | None) -> None:
            raise Interrupted("Interrupted.")

        before = signal.signal(signal.SIGINT, interrupt)
        yield
        signal.signal(signal.SIGINT, before)

    def test_what_runs_is_cancelled_and_nothing_else_begins(self) -> None:
        shop = Shop(web="RUN sleep 1000", mail="RUN echo mail")
        told = Told(lambda *_: os.kill(os.getpid(), signal.SIGINT))

        report, cause = shop.run(told)

        assert isinstance(cause, Interrupted)
        assert kinds(report) == {"web": "Cancelled", "mail": "Skipped"}
        assert report.images[1] == Skipped("mail", "interrupted")
        assert told.lines == [
            "start web: no image yet",
            "end web: Cancelled",
            "end mail: Skipped",
            "finished",
        ]
        assert shop.tags("web") == shop.tags("mail") == ()

    def test_what_was_complete_stays(self) -> None:
        shop = Shop(web="RUN echo web", mail="RUN sleep 1000")

        def interrupt(service: str, _: str) -> None:
            if service == "mail":
                os.kill(os.getpid(), signal.SIGINT)

        report, _ = shop.run(Told(interrupt))

        assert kinds(report) == {"web": "Built", "mail": "Cancelled"}
        assert shop.tags("web") == ALL


class TestBases:
    def test_each_is_pulled_once(self) -> None:
        shop, told = (
            Shop(FakeEngine(registry={"small:1": BASE}), web="RUN echo web", mail="RUN echo x"),
            Told(),
        )

        report, _ = shop.run(told)

        assert [line for line in told.lines if line.startswith("pull")] == ["pull small:1 layer 1000/1000"]
        assert kinds(report) == {"web": "Built", "mail": "Built"}

    def test_the_mirror_of_its_registry_is_asked(self) -> None:
        shop = Shop(FakeEngine(), web="RUN echo web")
        shop.mirrors = (("docker.io", "mirror.example/hub"), ("ghcr.io", "other.example"))

        report, _ = shop.run(Told())

        (failed,) = report.images
        assert isinstance(failed, Failed)
        assert (
            failed.message
            == "The image small:1 is not available through the mirror mirror.example/hub: not found"
        )


class TestDryRun:
    def test_it_says_what_the_run_does_next(self) -> None:
        shop = Shop(web="RUN echo web", mail="RUN echo mail")
        shop.run(Told())
        shop.dockerfiles["mail"] = "RUN echo more"
        goal = shop.goal("v1.0.0")

        told = dry_run(goal, shop.planned(goal, present_bases(goal.services, shop.engine)))

        assert [(image.action, image.reason) for image in told.images] == [
            ("keep", "unchanged"),
            ("build", "changed: docker/mail/Dockerfile"),
        ]
        report, _ = shop.run(Told())
        assert kinds(report) == {"web": "Unchanged", "mail": "Built"}

    def test_without_the_base_it_pulls_nothing(self) -> None:
        shop = Shop(FakeEngine(registry={"small:1": BASE}), web="RUN echo web")
        goal = shop.goal(None)

        told = dry_run(goal, shop.planned(goal, present_bases(goal.services, shop.engine)))

        assert told.images == (PlannedImage("web", "build", "no image yet", ("shop-web:latest",)),)
        assert shop.engine.image("small:1") is None

    def test_without_the_base_it_does_not_say_that_it_changed(self) -> None:
        shop = Shop(web="RUN echo web")
        shop.run(Told())
        goal = shop.goal(None)
        built = shop.engine.image("shop-web:latest")
        assert built is not None
        shop.engine = FakeEngine([built])

        told = dry_run(goal, shop.planned(goal, present_bases(goal.services, shop.engine)))

        assert [image.reason for image in told.images] == [
            "base small:1 is not here yet, and may have changed"
        ]
