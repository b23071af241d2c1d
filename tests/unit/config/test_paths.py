"""Which of many paths say what others say already."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamflow_build.config.paths import covering


@given(st.lists(st.text("ab/", min_size=1, max_size=5), max_size=6).map(tuple))
def test_what_lies_in_another_path_is_left_out(paths: tuple[str, ...]) -> None:
    assert covering(paths) == tuple(
        path for path in dict.fromkeys(paths) if not any(path.startswith(f"{other}/") for other in paths)
    )
