"""HTML made of elements: what is text is escaped, what is HTML says so by its type."""

from collections.abc import Container, Iterable, Sequence
from html import escape


class Html(str):
    """A string that is HTML."""

    __slots__ = ()


def element(name: str, *children: str, **attributes: str) -> Html:
    """Write an element.

    Args:
        name: Its tag.
        children: What is in it; what is not `Html` is text.
        attributes: Underscores stand for hyphens, and one at the end is left out.

    >>> print(element("td", "a < b", class_="number"))
    <td class="number">a &lt; b</td>
    """
    said = "".join(
        f' {key.removesuffix("_").replace("_", "-")}="{escape(value)}"'
        for key, value in attributes.items()
    )
    return Html(f"<{name}{said}>{join(children)}</{name}>")


def join(children: Iterable[str], between: str = "") -> Html:
    """Put HTML and texts one after the other.

    >>> print(join(["a & b", Html("<br>")]))
    a &amp; b<br>
    """
    return Html(
        between.join(child if isinstance(child, Html) else escape(child) for child in children)
    )


def table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    words: Container[int] = (0,),
    caption: str = "",
) -> Html:
    """Write a table that scrolls sideways where it does not fit.

    Args:
        header: The titles of the columns.
        rows: The cells, texts or HTML.
        words: Which columns hold words; the others hold numbers and stand to the right.
        caption: What stands above it.
    """
    kinds = ["words" if number in words else "number" for number in range(len(header))]
    head = _row("th", header, kinds, scope="col")
    body = [_row("td", row, kinds) for row in rows]
    drawn = element("table", element("thead", head), element("tbody", *body))
    above = [element("p", caption, class_="caption")] if caption else []
    # The focus lets who has no mouse scroll it.
    scrolls = element(
        "div", drawn, class_="scroll", tabindex="0", role="region", aria_label="table"
    )
    return join([*above, scrolls])


def _row(name: str, cells: Sequence[str], kinds: Sequence[str], **attributes: str) -> Html:
    """Write the cells of a row, each with the kind of its column as its class."""
    pairs = zip(cells, kinds, strict=True)
    return element("tr", *(element(name, cell, class_=kind, **attributes) for cell, kind in pairs))


def command(text: str) -> Html:
    """Write a command whose options are not torn where it does not fit a line.

    >>> print(command("report --out x"))
    <code><span>report</span> <span>--out</span> <span>x</span></code>
    """
    return element("code", join([element("span", word) for word in text.split()], " "))
