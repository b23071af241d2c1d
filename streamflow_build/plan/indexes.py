"""Where the host has its packages from, as pip's configuration says, for pip and for uv inside a build."""

from __future__ import annotations

import configparser
import io
import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from streamflow_build.errors import ConfigError
from streamflow_build.model.image import LARGEST_SECRET
from streamflow_build.plan import files

PipSettings = dict[str, tuple[str, ...]]
"""The options of pip's that say where packages come from, by their names without dashes before them."""

_LISTS = ("extra-index-url", "find-links", "trusted-host")
_SINGLE = ("index-url", "proxy", "timeout", "default-timeout", "retries")
_PLACES = ("index-url", "extra-index-url", "find-links")
_SECTIONS = ("global", "install")


def pip_settings(environ: Mapping[str, str], home: Path) -> PipSettings:
    """The settings of pip itself: its files, merged in its order, then its environment variables.

    Of all options those are kept that say where packages come from and how they are reached. Places on the
    host's disk can't be reached inside a build and are left out. Raises ConfigError for a file that pip
    couldn't read either, and for a variable that is no text.
    """
    settings: PipSettings = {}
    parsed = [_parsed(place) for place in _files(environ, home)]
    for section in _SECTIONS:
        for file in parsed:
            if file.has_section(section):
                _merge(settings, dict(file.items(section)))
    prefix = "PIP_"
    _merge(
        settings, {name[len(prefix) :]: value for name, value in environ.items() if name.startswith(prefix)}
    )
    for option in _PLACES:
        if option in settings:
            settings[option] = tuple(place for place in settings[option] if _remote(place))
    _check_text(settings)
    return {option: values for option, values in settings.items() if values}


def pip_conf(settings: PipSettings, *, cert: str | None) -> str:
    """The settings as a pip.conf, or nothing where there are none; ``cert`` is added where there are some."""
    if not settings:
        return ""
    options = {option: "\n    ".join(values) for option, values in sorted(settings.items())}
    if cert:
        options["cert"] = cert
    return "".join(["[global]\n", *(f"{option} = {value}\n" for option, value in options.items())])


def uv_conf(settings: PipSettings) -> str:
    """The settings as a uv.toml, since uv doesn't read pip's; nothing where uv has no use for any."""
    lines = []
    if index := settings.get("index-url"):
        lines.append(f"index-url = {_toml(index[-1])}")
    if extra := settings.get("extra-index-url"):
        lines.append(f"extra-index-url = {_toml(extra)}")
        # pip takes the best version of all indexes; the lock's hashes say which file that must be.
        lines.append('index-strategy = "unsafe-best-match"')
    if links := settings.get("find-links"):
        lines.append(f"find-links = {_toml(links)}")
    if trusted := settings.get("trusted-host"):
        lines.append(f"allow-insecure-host = {_toml(trusted)}")
    return "".join(f"{line}\n" for line in lines)


def _toml(value: str | tuple[str, ...]) -> str:
    return json.dumps(value, ensure_ascii=False)


def _files(environ: Mapping[str, str], home: Path) -> Iterator[Path]:
    """The configuration files of pip, from the weakest to the strongest."""
    own = environ.get("PIP_CONFIG_FILE")
    if own == os.devnull:
        return
    if sys.platform == "darwin":
        yield Path("/Library/Application Support/pip/pip.conf")
    for folder in reversed((environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":")):
        yield Path(folder) / "pip/pip.conf"
    yield Path("/etc/pip.conf")
    # As pip asks: Path.exists raises where the way there is barred.
    if not (own and os.path.exists(own)):  # noqa: PTH110
        yield home / ".pip/pip.conf"
        if sys.platform == "darwin":
            yield home / "Library/Application Support/pip/pip.conf"
        yield Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "pip/pip.conf"
    yield Path(sys.prefix) / "pip.conf"
    if own:
        yield Path(own)


def _parsed(place: Path) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser()
    try:
        text = io.TextIOWrapper(io.BytesIO(files.read(place, LARGEST_SECRET)), encoding="utf-8")
        parser.read_file(text, str(place))
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError):
        # To pip, too, such a file says nothing.
        return parser
    except (configparser.Error, UnicodeDecodeError, OSError) as error:
        raise ConfigError(
            f"pip's configuration {place} can't be read: {_fault(error)}.",
            hint="Fix the file; `pip config debug` shows which files pip reads.",
        ) from None
    return parser


def _fault(error: configparser.Error | UnicodeDecodeError | OSError) -> str:
    """What is wrong, without the file's own lines, which the error's text has: they may hold a password."""
    match error:
        case configparser.MissingSectionHeaderError(lineno=line):
            return f"line {line}: an option stands before the first [section]"
        case configparser.DuplicateOptionError(lineno=line):
            return f"line {line}: the option is there twice"
        case configparser.DuplicateSectionError(lineno=line):
            return f"line {line}: the section is there twice"
        case configparser.ParsingError(errors=errors):
            return f"line {', '.join(str(line) for line, _ in errors)}: it is no `option = value`"
        case OSError(strerror=words):
            return str(words)
        case _:
            return "it is no text in UTF-8"


def _merge(settings: PipSettings, said: Mapping[str, str]) -> None:
    """Take the options that matter from one section or the environment; an empty value says nothing."""
    for name, value in said.items():
        option = name.lower().replace("_", "-").removeprefix("--")
        if option in (*_LISTS, *_SINGLE) and value.strip():
            settings[option] = tuple(value.split()) if option in _LISTS else (value.strip(),)


def _check_text(settings: PipSettings) -> None:
    """Raises ConfigError for what is not UTF-8 text; only variables come so far, since files are decoded."""
    for option, values in settings.items():
        try:
            "".join(values).encode()
        except UnicodeEncodeError:
            variable = f"PIP_{option.upper().replace('-', '_')}"
            raise ConfigError(
                f"The environment variable {variable} is not UTF-8 text, and no configuration of pip can hold it.",
                hint=f"Set {variable} anew, with what isn't ASCII in percent-encoding, or unset it.",
            ) from None


def _remote(place: str) -> bool:
    return "://" in place and not place.startswith("file:")
