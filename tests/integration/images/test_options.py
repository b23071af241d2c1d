"""What the options of ``streamflow-build images`` change, and where its words go."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import msgspec
import pytest

from streamflow_build.model.report import ImagesReport, PlanReport

from ..shop import TOOL, Shop, seconds_hidden


def test_only_builds_what_it_names(shop_here: Shop) -> None:
    assert shop_here.outcomes("v1.0.0", "--only", "beta") == {"beta": "built: no image yet"}
    assert shop_here.tags("alpha") == {}


def test_dry_run_builds_nothing_and_says_what_it_would(shop_here: Shop) -> None:
    done = shop_here.images("v1.0.0", "--dry-run")

    tags = "v1.0.0, 1.0.0, 1.0, 1, latest"
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        f"alpha  build  no image yet\n              {shop_here.name}-alpha:{tags}\n"
        f"beta   build  no image yet\n              {shop_here.name}-beta:{tags}\n"
    )
    assert shop_here.tags("alpha") == {}
    assert not (shop_here.folder / ".streamflow").exists()


def test_dry_run_foretells_the_run(shop_here: Shop) -> None:
    shop_here.outcomes("v1.0.0", "--only", "alpha")
    shop_here.write("beta/said.txt", "changed\n")

    planned = msgspec.json.decode(shop_here.images("v1.0.0", "--dry-run", "--json").stdout, type=PlanReport)

    assert [(i.service, i.action, i.reason) for i in planned.images] == [
        ("alpha", "keep", "unchanged"),
        ("beta", "build", "no image yet"),
    ]
    assert shop_here.outcomes("v1.0.0") == {"alpha": "unchanged", "beta": "built: no image yet"}


def test_no_cache_runs_every_step_again(shop_here: Shop) -> None:
    shop_here.step("alpha", "RUN cat /app/shared/said.txt\n")
    shop_here.outcomes("v1.0.0", "--only", "alpha")

    report = shop_here.report("v1.0.0", "--only", "alpha", "--no-cache")

    (alpha,) = report["images"]
    assert (alpha["reason"], alpha["cached"], alpha["steps"]) == ("--no-cache", 0, 3)
    # Its output is in the log: it was run.
    assert re.search(rf" \| shared of {shop_here.name}\n", shop_here.log("alpha"))


def test_one_job_builds_one_after_the_other(shop_here: Shop) -> None:
    done = shop_here.images("--jobs", "1")

    said = [line.split("|")[0].strip() for line in done.stderr.splitlines() if "|" in line]
    assert done.returncode == 0
    assert said == sorted(said), done.stderr


def test_json_is_all_of_stdout_and_progress_is_on_stderr(shop_here: Shop) -> None:
    done = shop_here.images("v1.0.0", "--json")

    report = msgspec.json.decode(done.stdout, type=ImagesReport, strict=True)
    assert [image.service for image in report.images] == ["alpha", "beta"]
    assert report.version == "1.0.0"
    assert [(base.name, base.image, base.stand_in) for base in report.bases] == [
        ("small", shop_here.base, False)
    ]
    assert "alpha | building: no image yet\n" in done.stderr


def test_plain_lines_name_their_image(shop_here: Shop) -> None:
    done = shop_here.images("v1.0.0", "--only", "alpha")

    lines = done.stderr.splitlines()
    assert all(line.startswith("alpha | ") for line in lines), done.stderr
    assert lines[0] == "alpha | building: no image yet"
    assert re.fullmatch(r"alpha \| built in N s, \d+\.\d MB, \d of 2 steps cached", seconds_hidden(lines[-1]))


def test_quiet_prints_the_result_only(shop_here: Shop) -> None:
    done = shop_here.images("v1.0.0", "--quiet")

    assert (done.returncode, done.stderr) == (0, "")
    header, alpha, beta, total, *more = done.stdout.splitlines()
    assert header.split() == ["service", "tags", "size", "cached", "seconds", "what", "happened"]
    assert alpha.startswith(f"alpha    {shop_here.name}-alpha:v1.0.0, 1.0.0, 1.0, 1, latest  ")
    assert alpha.endswith("  built: no image yet")
    assert beta.startswith("beta ")
    assert re.fullmatch(
        r"2 built in N s \(Docker Engine \S+, (classic|containerd) image store\)", seconds_hidden(total)
    )
    assert any(line.startswith(f"base {shop_here.base} is ") for line in more)


def test_logs_hold_all_steps(shop_here: Shop) -> None:
    shop_here.step("alpha", "RUN cat /app/alpha/said.txt; cat /app/shared/said.txt >&2\n")
    shop_here.outcomes("v1.0.0")

    log = shop_here.log("alpha")
    assert re.search(r"^\S+Z build of alpha: no image yet$", log, re.MULTILINE)
    for step in ("COPY shared /app/shared", "COPY alpha /app/alpha", "RUN cat /app/alpha/said.txt"):
        assert step in log
    assert f" | alpha of {shop_here.name}\n" in log
    assert f" | shared of {shop_here.name}\n" in log
    assert re.search(rf"Z built sha256:[0-9a-f]{{64}} as {shop_here.name}-alpha:v1.0.0, .* in ", log)
    assert {path.name for path in (shop_here.folder / ".streamflow/logs").iterdir()} == {
        "alpha.log",
        "beta.log",
    }


class TestSizes:
    @pytest.fixture
    def fat(self, shop_here: Shop) -> Shop:
        """Alpha is over its budget: the base alone is."""
        shop_here.configure(alpha=", size_budget: 1MB", beta=", size_budget: 500MB")
        return shop_here

    def test_an_image_over_its_budget_is_named(self, fat: Shop) -> None:
        fat.step("alpha", "RUN dd if=/dev/zero of=/blob bs=1000 count=3000\n")
        done = fat.images("v1.0.0", "--quiet")

        assert (done.returncode, done.stderr) == (0, "")
        over = re.search(
            r"^alpha is \d\.\d MB over its budget of 1\.0 MB; its largest layers beyond the base:\n +(.*)$",
            done.stdout,
            re.MULTILINE,
        )
        assert over
        assert over[1] == "3.0 MB  RUN dd if=/dev/zero of=/blob bs=1000 count=3000"
        assert "beta is" not in done.stdout

    def test_strict_sizes_makes_it_fail_with_the_image_in_place(self, fat: Shop) -> None:
        done = fat.images("v1.0.0", "--quiet", "--strict-sizes")

        assert done.returncode == 5
        assert done.stderr == (
            "streamflow-build: Over the size budget: alpha.\n"
            "Make them smaller, or raise size_budget in streamflow.yaml.\n"
        )
        assert "latest" in fat.tags("alpha")

    def test_on_a_stand_in_the_limit_is_beyond_the_base(self, fat: Shop, token: str) -> None:
        stand_in = f"sfit-{token}-stand-in:1"
        _make_stand_in(fat, stand_in)
        text = (fat.folder / "streamflow.yaml").read_text()
        (fat.folder / "streamflow.yaml").write_text(text.replace(fat.base, stand_in))

        done = fat.images("v1.0.0", "--quiet", "--strict-sizes")

        assert (done.returncode, done.stderr) == (0, "")
        assert f"base {stand_in} is a stand-in made of Debian packages" in done.stdout


def _make_stand_in(shop: Shop, name: str) -> None:
    text = f"FROM {shop.base}\nLABEL org.streamflow.stand-in=true\n"
    subprocess.run(
        ["docker", "build", "--quiet", "--tag", name, "-"],
        input=text, env=shop.live.environ, text=True, check=True, capture_output=True,
    )  # fmt: skip


def test_a_stale_dockerfile_on_the_disk_is_told(shop_here: Shop) -> None:
    subprocess.run([TOOL, "render"], cwd=shop_here.folder, check=True, capture_output=True)
    assert "note:" not in shop_here.images("v1.0.0").stdout

    (shop_here.folder / "docker/beta/Dockerfile").write_text("FROM scratch\n")

    done = shop_here.images("v1.0.0")
    assert (
        "note: not what streamflow.yaml says: docker/beta/Dockerfile; run streamflow-build render\n"
        in done.stdout
    )
    assert {"alpha | unchanged", "beta  | unchanged"} <= set(done.stderr.splitlines())


def test_the_project_may_be_elsewhere(shop_here: Shop, tmp_path: Path) -> None:
    done = subprocess.run(
        [TOOL, "--config", "shop/streamflow.yaml", "images", "--dry-run", "--json"],
        cwd=tmp_path,
        env=shop_here.live.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert [image["service"] for image in json.loads(done.stdout)["images"]] == ["alpha", "beta"]
