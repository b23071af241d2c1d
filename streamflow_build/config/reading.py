"""From YAML nodes to plain data of the file's shape, with the position of each value.

The walk is led by the types of ``shape``: what they say in the JSON Schema is what is accepted here.
"""

from __future__ import annotations

import re
from typing import Any

import yaml
from msgspec import inspect

from streamflow_build.config.problems import Keys, Mark, Problems, quoted
from streamflow_build.model.names import suggestion

_YAML = "tag:yaml.org,2002:"
_KINDS = {
    "bool": "a boolean",
    "int": "a number",
    "float": "a number",
    "null": "nothing",
    "timestamp": "a date",
    "str": "a text",
    "seq": "a list",
    "map": "a mapping",
    "merge": "a merge key",
    "value": "a default value",
}
# More digits are out of every range, and int() refuses some thousands of them.
_MOST_DIGITS = 18


class Reader:
    """Walks one file's nodes; what is wrong goes to ``problems``, and so do the positions."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._flat: dict[int, dict[str, tuple[yaml.Node, yaml.Node]]] = {}

    def read(self, node: yaml.Node, info: Any, keys: Keys = ()) -> Any:
        """The node's value as plain data; of no use where problems were noted."""
        self._problems.marks[keys] = _mark(node)
        extra: dict[str, str] = {}
        while isinstance(info, inspect.Metadata):
            extra = {**(info.extra or {}), **extra}
            info = info.type
        if isinstance(info, inspect.StructType):
            return self._struct(node, info, keys)
        if isinstance(info, inspect.DictType):
            return self._dict(node, info, keys)
        if isinstance(info, inspect.VarTupleType):
            return self._list(node, info, keys)
        if isinstance(info, inspect.IntType):
            return self._number(node, info, keys, extra)
        if isinstance(info, inspect.BoolType):
            return self._boolean(node, keys)
        return self._text(node, info, keys, extra)

    def _struct(self, node: yaml.Node, info: inspect.StructType, keys: Keys) -> dict[str, Any]:
        fields = {field.encode_name: field for field in info.fields}
        if not self._is(node, yaml.MappingNode, keys):
            return {}
        data = {}
        for name, (key, value) in self._mapping(node, keys).items():
            if name in fields:
                self._problems.names[*keys, name] = _mark(key)
                data[name] = self.read(value, fields[name].type, (*keys, name))
            else:
                close = suggestion(name, fields)
                self._problems.at(
                    _mark(key),
                    (*keys, name),
                    f"unknown key{close}{'?' * bool(close)}",
                    f"Known: {', '.join(fields)}.",
                )
        for name, field in fields.items():
            if field.required and name not in data:
                self._problems.missing(keys, name, f"Add {name}: {_description(field.type)}")
        return data

    def _dict(self, node: yaml.Node, info: inspect.DictType, keys: Keys) -> dict[str, Any]:
        if not self._is(node, yaml.MappingNode, keys):
            return {}
        data = {}
        entries = self._mapping(node, keys)
        for name, (key, value) in entries.items():
            self._problems.names[*keys, name] = _mark(key)
            self.read(key, info.key_type, (*keys, name))
            data[name] = self.read(value, info.value_type, (*keys, name))
        if info.min_length is not None and len(entries) < info.min_length:
            self._problems.about(keys, "it is empty", "Name at least one.")
        return data

    def _list(self, node: yaml.Node, info: inspect.VarTupleType, keys: Keys) -> tuple[Any, ...]:
        if not self._is(node, yaml.SequenceNode, keys):
            return ()
        if info.min_length is not None and len(node.value) < info.min_length:
            self._problems.about(keys, "the list is empty", "Name at least one.")
        return tuple(self.read(item, info.item_type, (*keys, i)) for i, item in enumerate(node.value))

    def _number(self, node: yaml.Node, info: inspect.IntType, keys: Keys, extra: dict[str, str]) -> int:
        if not self._is(node, yaml.ScalarNode, keys, wanted="a number"):
            return 0
        text = node.value
        decimal = re.fullmatch(r"[-+]?(0|[1-9][0-9]*)", text)
        if node.tag != f"{_YAML}int":
            hint = f"Write it without quotes: {text}" if decimal else "Write it in digits."
            self._problems.about(keys, f"{quoted(text)} is {_kind(node)}, not a whole number", hint)
            return 0
        if decimal is None:
            self._problems.about(
                keys,
                f"{text} is not a plain decimal number, and YAML's versions read it differently",
                "Write it in digits, without a leading 0, '_' or ':'.",
            )
            return 0
        too_long = len(text) > _MOST_DIGITS
        number = 0 if too_long else int(text)
        least, most = info.ge, info.le
        if too_long or (least is not None and number < least) or (most is not None and number > most):
            self._problems.about(
                keys,
                f"{_short(text)} is not between {least} and {most}",
                extra.get("hint", "Write a number in this range."),
            )
        return number

    def _boolean(self, node: yaml.Node, keys: Keys) -> bool:
        if not self._is(node, yaml.ScalarNode, keys, wanted="true or false"):
            return False
        if node.tag != f"{_YAML}bool":
            what = f"{quoted(node.value)} is {_kind(node)}, not true or false"
            self._problems.about(keys, what, "Write true or false, without quotes.")
        elif node.value not in {"true", "false"}:
            what = f"{node.value} is read differently by YAML's versions"
            self._problems.about(keys, what, "Write true or false.")
        return bool(node.value == "true")

    def _text(self, node: yaml.Node, info: Any, keys: Keys, extra: dict[str, str]) -> str:
        if not self._is(node, yaml.ScalarNode, keys, wanted="a text"):
            return ""
        text = str(node.value)
        known = [str(value) for value in info.values] if isinstance(info, inspect.LiteralType) else []
        pattern = info.pattern if isinstance(info, inspect.StrType) else None
        if node.tag != f"{_YAML}str":
            what = f"YAML reads {_short(text)} as {_kind(node)}; a text is expected"
            self._problems.about(keys, what, _cure(node, pattern, extra))
        elif not text:
            self._problems.about(keys, "the text is empty", "Write a value, or leave the key out.")
        elif known and text not in known:
            close = suggestion(text, known)
            what = f"{quoted(text)} is not known{close}{'?' * bool(close)}"
            self._problems.about(keys, what, f"Write {' or '.join(known)}.")
        elif pattern and not re.fullmatch(pattern, text):
            lower = re.fullmatch(pattern, text.lower())
            hint = f"Write it as {text.lower()}" if lower else extra["hint"] or "Write it in this form."
            self._problems.about(keys, f"{quoted(text)} is not {extra['expected']}", hint)
        return text

    def _is(self, node: yaml.Node, kind: type[yaml.Node], keys: Keys, *, wanted: str = "") -> bool:
        if isinstance(node, yaml.ScalarNode) and node.tag == f"{_YAML}null" and not node.value:
            self._problems.about(keys, "it has no value", "Write a value, or leave the key out.")
            return False
        if isinstance(node, kind):
            if kind is yaml.ScalarNode or node.tag in {f"{_YAML}map", f"{_YAML}seq"}:
                return True
            self._problems.about(keys, f"it carries the YAML tag {quoted(node.tag)}", "Take the tag out.")
            return False
        if kind is yaml.MappingNode:
            wanted, hint = "a mapping", "Write its keys below it, indented: key: value"
        elif kind is yaml.SequenceNode:
            one = (
                f": [{node.value}]"
                if isinstance(node, yaml.ScalarNode) and node.value.isalnum()
                else ": [first, second]"
            )
            wanted, hint = "a list", f"Write it as a list{one}"
        else:
            hint = f"Write {wanted} after the ':'."
        what = "it" if keys else "the file"
        self._problems.about(keys, f"{what} is {_kind(node)}, not {wanted}", hint)
        return False

    def _mapping(self, node: yaml.Node, keys: Keys) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """The entries by the text of their key, those of merged mappings included."""
        if id(node) in self._flat:
            return self._flat[id(node)]
        # Set before the merge, so that a mapping that merges itself comes to an end.
        entries = self._flat[id(node)] = {}
        merged: list[yaml.Node] = []
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._problems.at(
                    _mark(key), keys, f"a key is {_kind(key)}, not a text", "Write a name as the key."
                )
            elif key.tag == f"{_YAML}merge":
                merged += value.value if isinstance(value, yaml.SequenceNode) else [value]
            elif key.value in entries:
                first = _mark(entries[key.value][0]).line
                self._problems.at(
                    _mark(key),
                    (*keys, key.value),
                    f"the key is already on line {first}",
                    "Keep one of the two.",
                )
            else:
                entries[key.value] = (key, value)
        for other in merged:
            if isinstance(other, yaml.MappingNode):
                for name, entry in self._mapping(other, keys).items():
                    entries.setdefault(name, entry)
            else:
                self._problems.at(
                    _mark(other),
                    (*keys, "<<"),
                    f"'<<' merges mappings, and this is {_kind(other)}",
                    "Merge a mapping.",
                )
        return entries


def _mark(node: yaml.Node) -> Mark:
    return Mark(node.start_mark.line + 1, node.start_mark.column + 1)


def _kind(node: yaml.Node) -> str:
    return _KINDS.get(node.tag.removeprefix(_YAML), f"a {quoted(node.tag)}")


def _cure(node: yaml.Node, pattern: str | None, extra: dict[str, str]) -> str:
    if node.tag.removeprefix(_YAML) not in _KINDS:
        return "Take the tag out."
    if pattern is not None and not re.fullmatch(pattern, node.value):
        return extra["hint"] or f"Write {extra['expected']}."
    return f'Put it in quotes: "{node.value}"'


def _short(text: str) -> str:
    return text if text.isprintable() and len(text) <= _MOST_DIGITS else quoted(text)


def _description(info: Any) -> str:
    while isinstance(info, inspect.Metadata):
        if info.extra_json_schema and "description" in info.extra_json_schema:
            return str(info.extra_json_schema["description"])
        info = info.type
    return "a value"
