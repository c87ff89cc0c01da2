"""What of a server's own words may be quoted: nothing that repeats what it was sent.

Servers echo their input in errors: the offending value, a part of the document, of the key.
"""

import re
from collections.abc import Iterable

TEXT_RUN = 12
"""Characters in a row of a query or document that are too many to quote."""

SECRET_RUN = 8
"""The same of a key; `jina_` alone is no secret."""

LONGEST = 300
"""Characters of a message that are enough to tell what it is about."""


def quotable(said: str, texts: Iterable[str] = (), secrets: Iterable[str] = ()) -> str:
    """Return a server's message on one line, or an empty string if it repeats what was sent.

    Args:
        said: The message.
        texts: The query and the documents that were sent.
        secrets: The keys that were sent.

    >>> quotable("model 'm' is overloaded", texts=["a long text about models"])
    "model 'm' is overloaded"
    >>> quotable("bad value 'a long text abo...'", texts=["a long text about models"])
    ''
    """
    line = " ".join(said.split())
    if len(line) > LONGEST:
        line = f"{line[:LONGEST].rstrip()}..."
    # An escape may hide what follows from the comparison; HTML says nothing worth quoting.
    if not line.isprintable() or "\\" in line or "<" in line:
        return ""
    folded = _fold(line)
    hidden = any(_shares(folded, _fold(text), TEXT_RUN) for text in texts)
    hidden = hidden or any(_shares(folded, _fold(secret), SECRET_RUN) for secret in secrets)
    return "" if hidden else line


def _fold(text: str) -> str:
    return " ".join(text.casefold().split())


def _shares(said: str, text: str, run: int) -> bool:
    """Tell whether `said` has `run` characters in a row of `text`, or all of a shorter one."""
    if len(text) < run:
        # As words of its own: every message has the letters of a very short text.
        return re.search(rf"(?<!\w){re.escape(text)}(?!\w)", said) is not None
    return any(said[i : i + run] in text for i in range(len(said) - run + 1))
