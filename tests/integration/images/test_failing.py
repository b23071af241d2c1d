"""Builds that fail: what is said, once, what goes on, and what is left behind."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from ..shop import TOOL, Shop, seconds_hidden

BROKEN = """\
RUN i=0; while [ $i -lt 40 ]; do i=$((i+1)); echo line $i; done; \\
    echo the last; exit 7
"""


def test_a_failing_step_is_shown_once_and_the_others_go_on(shop: Shop) -> None:
    shop.step("alpha", BROKEN)

    done = shop.images("v1.0.0", "--jobs", "1")

    assert done.returncode == 4
    assert shop.tags("alpha") == {}
    assert "latest" in shop.tags("beta")
    printed = "".join(f"    line {number}\n" for number in range(12, 41)) + "    the last\n"
    command = "RUN i=0; while [ $i -lt 40 ]; do i=$((i+1)); echo line $i; done;"
    shown = f"{command} echo the last; exit 7"
    assert seconds_hidden(done.stderr).endswith(
        f"\nalpha failed in [4/4] {shown} after N s\n"
        f"  docker/alpha/Dockerfile:5: {command} \\\n"
        "  The command ended with exit code 7.\n"
        "  the last 30 lines of its output:\n"
        f"{printed}"
        "  log: .streamflow/logs/alpha.log\n"
        "streamflow-build: 1 of 2 images could not be built: alpha.\n"
    )
    assert done.stderr.count("the last\n") == 1
    assert all(f" | line {number}\n" in shop.log("alpha") for number in range(1, 41))


def test_a_failed_build_leaves_the_tags_where_they_are(shop_here: Shop) -> None:
    shop_here.outcomes("v1.0.0")
    before = shop_here.tags("alpha")
    shop_here.step("alpha", BROKEN)

    assert shop_here.outcomes("v1.0.0", code=4) == {"alpha": "failed", "beta": "unchanged"}
    assert shop_here.tags("alpha") == before


def test_json_has_the_failure(shop_here: Shop) -> None:
    shop_here.step("alpha", BROKEN)

    report = shop_here.report("--only", "alpha", code=4)

    (alpha,) = report["images"]
    assert alpha["dockerfile"] == "docker/alpha/Dockerfile"
    assert alpha["dockerfile_line"] == 5
    assert alpha["dockerfile_text"].startswith("RUN i=0; ")
    assert alpha["output"][0] == "line 12"
    assert alpha["log"] == ".streamflow/logs/alpha.log"


def test_a_step_that_fails_in_both_is_shown_once(shop_here: Shop) -> None:
    template = shop_here.folder / "templates/docker/Dockerfile.j2"
    template.write_text(
        f"FROM {shop_here.base}\n"
        f"LABEL org.streamflow.test={shop_here.name}\n"
        f"RUN echo said once by {shop_here.name}; exit 3\n"
    )

    done = shop_here.images()

    assert done.returncode == 4
    assert seconds_hidden(done.stderr).endswith(
        f"\nalpha, beta failed in [2/2] RUN echo said once by {shop_here.name}; exit 3 after N s\n"
        f"  docker/alpha/Dockerfile:3: RUN echo said once by {shop_here.name}; exit 3\n"
        f"  docker/beta/Dockerfile:3: RUN echo said once by {shop_here.name}; exit 3\n"
        "  The command ended with exit code 3.\n"
        "  output:\n"
        f"    said once by {shop_here.name}\n"
        "  log: .streamflow/logs/alpha.log\n"
        "  log: .streamflow/logs/beta.log\n"
        "streamflow-build: 2 of 2 images could not be built: alpha, beta.\n"
    )


def test_a_base_that_cant_be_had(shop_here: Shop) -> None:
    config = shop_here.folder / "streamflow.yaml"
    text = config.read_text().replace(
        f'"{shop_here.base}"', f'"{shop_here.base}", none: "localhost:9/{shop_here.name}:1"'
    )
    config.write_text(text.replace("module: alpha,", "module: alpha, base: none,"))

    done = shop_here.images("v1.0.0")

    assert done.returncode == 4
    assert shop_here.tags("alpha") == {}
    assert "latest" in shop_here.tags("beta")
    found = re.search(r"\nalpha failed after 0\.0 s\n(.*)\n(.*)\n(.*)\n$", done.stderr)
    assert found, done.stderr
    assert found[1].startswith(f"  The image localhost:9/{shop_here.name}:1 is not available: ")
    assert "connection refused" in found[1]
    assert found[2] == (
        "  Check its name, that localhost:9 can be reached from the engine, and `docker login localhost:9`; "
        "`mirrors:` in streamflow.yaml names another source for it."
    )
    assert found[3] == "streamflow-build: 1 of 2 images could not be built: alpha."


def test_a_template_with_an_undefined_name(shop_here: Shop) -> None:
    shop_here.step("alpha", "\n\nRUN echo {{ flavour }}\n")

    done = shop_here.images()

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "streamflow-build: templates/steps/alpha.j2:3: 'flavour' is undefined.\nFix the template.\n"
    )


def test_a_dockerfile_that_does_not_parse(shop_here: Shop) -> None:
    shop_here.step("alpha", "RUNN echo hello\n")

    done = shop_here.images("--only", "alpha")

    assert done.returncode == 4
    assert seconds_hidden(done.stderr).endswith(
        "\nalpha failed after N s\n"
        "  docker/alpha/Dockerfile:5: RUNN echo hello\n"
        "  Dockerfile parse error on line 5: unknown instruction: RUNN (did you mean RUN?)\n"
        "  log: .streamflow/logs/alpha.log\n"
        "streamflow-build: 1 of 1 images could not be built: alpha.\n"
    )


def test_a_full_disk_under_the_logs_stops_no_build(shop_here: Shop) -> None:
    logs = shop_here.folder / ".streamflow"
    logs.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "full", logs], check=True)
    try:
        (logs / "ballast").write_bytes(b"x" * 4096)
        done = shop_here.images("v1.0.0")
    finally:
        subprocess.run(["umount", logs], check=True)

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("can't be written: No space left on device. The build goes on.") == 1
    assert "latest" in shop_here.tags("beta")


def test_a_full_disk_under_the_report(shop_here: Shop) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [TOOL, "images", "--quiet"],
            cwd=shop_here.folder, env=shop_here.live.environ,
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip

    assert done.returncode == 2
    assert done.stderr == (
        "streamflow-build: The report can't be written: No space left on device.\n"
        "Make room or point the output elsewhere, and run it again.\n"
    )
    assert "latest" in shop_here.tags("alpha")
