"""Text from elsewhere that is kept or shown."""

_LONGEST = 200


def clean(text: str | None) -> str | None:
    """What of the text can be kept: printable (PostgreSQL takes no NUL), on one line, not endless."""
    if text is None:
        return None
    return "".join(each if each.isprintable() else " " for each in text).strip()[:_LONGEST]
