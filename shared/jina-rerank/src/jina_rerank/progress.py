"""A progress bar on standard error, for who asked for one."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .errors import MissingDependencyError


@contextmanager
def progress(total: int, *, show: bool) -> Iterator[Callable[[int], object]]:
    """Yield what is to be called with each number of documents that are done.

    Without a bar, nothing of tqdm is touched: its lock is shared with forked children, and a child
    that was forked while a thread held it would wait forever, even for a bar that is not shown.

    Args:
        total: Documents in all.
        show: Show a bar.

    Raises:
        MissingDependencyError: A bar was asked for, and tqdm is not installed.
    """
    if not show:
        yield int
        return
    try:
        from tqdm.auto import tqdm  # noqa: PLC0415 - only for who asked
    except ModuleNotFoundError as error:
        msg = "show_progress needs tqdm: pip install tqdm"
        raise MissingDependencyError(msg, name="tqdm") from error

    class Bar(tqdm):  # type: ignore[type-arg] # generic for type checkers only
        monitor_interval = 0  # no thread of its own
        _lock = threading.RLock()  # nor a lock that processes share

    with Bar(total=total, unit="doc") as bar:
        yield bar.update
