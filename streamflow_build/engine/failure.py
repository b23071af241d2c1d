"""What is to be said of a build that failed: its step and line, and its cause where it is a known one."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from streamflow_build.engine.dockerfile import line_of, line_of_base
from streamflow_build.engine.interface import StepFailed
from streamflow_build.engine.trace import STEP, Step, Trace
from streamflow_build.model.image import BuildRequest


class _Cause(NamedTuple):
    """A known cause: what to look for, in the engine's words and the step's output, and what to say of it."""

    pattern: re.Pattern[str]
    message: Callable[[re.Match[str]], str]
    hint: str | None


_NETWORK = "Run the command again; if it stays so, see that containers reach the network and its name server."
_CAUSES = (
    _Cause(
        re.compile(r"no space left on device", re.IGNORECASE),
        lambda _: "The engine's disk is full: no space left on device.",
        "`docker system df` shows what fills it; `docker builder prune` and `docker image prune` free the "
        "most.",
    ),
    _Cause(
        re.compile(r"failed to resolve source metadata for (?P<base>\S+): (?P<words>.*)", re.DOTALL),
        lambda found: f"The base image {familiar(found['base'])} is not available: {found['words'].strip()}",
        "Check its name, that the engine reaches its registry, and `docker login`; `mirrors:` in "
        "streamflow.yaml names another source for it.",
    ),
    _Cause(
        re.compile(r'failed to calculate checksum of ref \S+: "(?P<path>[^"]*)": not found'),
        lambda found: f"{found['path'].lstrip('/')} is not in the build context.",
        "Declare it under `sources` in streamflow.yaml, and see that .dockerignore lets it through.",
    ),
    _Cause(
        re.compile(r"^secret (?P<id>\S+): not found"),
        lambda found: f"The step needs the secret {found['id']!r}, which the build was not given.",
        "Declare it under the service's `secrets` in streamflow.yaml.",
    ),
    _Cause(
        re.compile(
            # "[IP:" is how apt ends such a line.
            r"40[13] (?:Error|Client Error|Unauthorized|Forbidden)(?! \[IP:)|Credentials not correct"
            r"|status code 40[13]"
        ),
        lambda _: "The package index refused the credentials.",
        "Check the user and the password of the index in PIP_INDEX_URL and in pip.conf.",
    ),
    _Cause(
        # pip's last attempt; it goes on to say that there is no such requirement.
        re.compile(r"Retry\(total=0,|Max retries exceeded"),
        lambda _: "The package index can't be reached from inside the build.",
        _NETWORK,
    ),
    _Cause(
        re.compile(
            r"(?:No matching distribution found for |there is no version of "
            r"|was not found in the package registry and you require )(?P<what>[^\s,]+)"
        ),
        lambda found: f"The requirement {found['what']} does not exist in the package index.",
        "Correct it in the service's requirements; an index of your own is named in pip.conf or "
        "PIP_INDEX_URL.",
    ),
    _Cause(
        re.compile(r"Wheels are required for `(?P<what>[^`]+)`"),
        lambda found: f"The requirement {found['what']} has no wheel, and its lock allows nothing else.",
        "Allow it in the lock, as `uv pip compile` does with --no-binary NAME and --emit-build-options: then "
        "it is built from source, with the service's `build_packages`.",
    ),
    _Cause(
        re.compile(r"Failed to build `(?P<what>[^`]+)`"),
        lambda found: f"The requirement {found['what']} has no wheel and could not be built from source.",
        "The output says what it lacks; name the Debian packages under `build_packages` in streamflow.yaml.",
    ),
    _Cause(
        re.compile(r"Hash mismatch for `?(?P<what>[^\s`]+)"),
        lambda found: (
            f"What the package index holds as {found['what']} has another hash than the one locked."
        ),
        "Lock the service's requirements again, if the index is to be trusted.",
    ),
    _Cause(
        re.compile(r"invalid peer certificate|certificate verify failed|CERTIFICATE_VERIFY_FAILED"),
        lambda _: "A server's certificate is not trusted inside the build.",
        "Name a bundle that holds its authority in SSL_CERT_FILE; builds are given that bundle.",
    ),
    _Cause(
        re.compile(
            r"Failed to fetch: `?(?P<what>[a-z]+://[^/\s]+)/\S* .*(?:dns error|timed out|client error \(Connect\))"
        ),
        lambda found: f"{found['what']} can't be reached from inside the build.",
        _NETWORK,
    ),
    _Cause(
        re.compile(
            r"code = Unavailable desc = |client connection is closing|no active session", re.IGNORECASE
        ),
        lambda _: (
            "The connection broke off by which the engine has the build's context and secrets from here."
        ),
        "Run the command again; where it comes back, something between here and the engine cuts connections.",
    ),
    _Cause(
        re.compile(r"context canceled$"),
        lambda _: "The build was cancelled on the engine, and not by this run.",
        "Run the command again.",
    ),
    _Cause(
        re.compile(r"did not complete successfully: exit code: 137$"),
        lambda _: "The command was killed (exit code 137).",
        "Most often the engine's machine ran out of memory; build fewer images at once with --jobs.",
    ),
    _Cause(
        re.compile(r"did not complete successfully: exit code: (?P<code>\d+)$"),
        lambda found: f"The command ended with exit code {found['code']}.",
        None,
    ),
)


def failure(request: BuildRequest, trace: Trace, message: str) -> StepFailed:
    """The error to raise for a build, from what it told and the engine's last words."""
    step = trace.failed
    output = tuple(step.lines) if step else ()
    text, hint = _explained(message, output)
    return StepFailed(
        text,
        step=step.name if step else None,
        dockerfile_line=_line(request, step, message),
        output=output,
        hint=hint,
    )


def familiar(reference: str) -> str:
    """A reference as people write it: Docker Hub's are shown without its host."""
    return reference.removeprefix("docker.io/").removeprefix("library/")


def _explained(message: str, output: tuple[str, ...]) -> tuple[str, str | None]:
    # Installers wrap their sentences, and draw lines in the margin.
    printed = re.sub(r"[\s\u2500-\u25ff]+", " ", " ".join(output))
    for cause in _CAUSES:
        if found := cause.pattern.search(message) or cause.pattern.search(printed):
            return cause.message(found), cause.hint
    return f"{message[:1].upper()}{message[1:]}", None


def _line(request: BuildRequest, step: Step | None, message: str) -> int | None:
    if found := re.search(r"parse error on line (\d+)", message):
        return int(found[1])
    dockerfile = next(
        (
            file.content.decode(errors="replace")
            for file in request.context
            if file.path == request.dockerfile
        ),
        "",
    )
    if step and (name := STEP.match(step.name)):
        return line_of(dockerfile, name["stage"], int(name["number"]))
    if found := re.match(r"(?P<base>\S+): failed to resolve source metadata", message):
        return line_of_base(dockerfile, found["base"])
    return None
