"""Files of JSON or TOML, read whole."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from jina_rerank.lines import InputError


def load(path: Path, parse: Callable[[str], Any], form: str, *, hint: str = "") -> Any:
    """Read what a file says.

    Args:
        path: The file, in UTF-8.
        parse: What reads its text, such as `json.loads`; it raises a `ValueError` if it cannot.
        form: What it reads, for the message.
        hint: What to do if the text is of another form.

    Raises:
        InputError: There is no such file, or it is not of this form; the message names it.
    """
    try:
        return parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"{str(path)!r} cannot be read: {error.strerror}; check its name"
        raise InputError(msg) from error
    except (ValueError, RecursionError) as error:
        msg = f"{str(path)!r} is not valid {form}: {error}{hint and f'; {hint}'}"
        raise InputError(msg) from error
