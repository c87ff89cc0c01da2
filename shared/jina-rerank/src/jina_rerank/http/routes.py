"""Which of several addresses a server answers at: found out once, by asking."""

import threading
from collections.abc import Sequence

from ..address import Route
from ..errors import APIError, APIStatusError
from ..wire.values import Answer


class ElsewhereError(APIError):
    """The answer of an address where something else is; holds the error that says so."""

    def __init__(self, error: APIStatusError) -> None:
        super().__init__(*error.args)
        self.error = error


class Routes:
    """The routes that are left to try, shared by all calls.

    Args:
        routes: At least one, the likeliest first.
    """

    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes = tuple(routes)
        self._place = 0
        self._settled = len(routes) == 1
        self._missed: list[APIStatusError] = []
        self._lock = threading.Lock()

    @property
    def current(self) -> Route:
        """The route to use now."""
        return self._routes[self._place]

    def check(self, answer: Answer, error: APIStatusError) -> APIError:
        """Return the error to raise for an answer, which may say that the server is elsewhere."""
        if self._settled or not _is_elsewhere(answer, is_first=self._place == 0):
            return error
        return ElsewhereError(error)

    def stay(self, route: Route) -> None:
        """Keep a route that has answered."""
        if not self._settled:
            with self._lock:
                self._place = self._routes.index(route)
                self._settled = True

    def leave(self, route: Route, elsewhere: ElsewhereError) -> None:
        """Go on to the next route, unless another call has already.

        Raises:
            APIStatusError: There is none; the error of the likeliest, for all of them.
        """
        with self._lock:
            if self._settled or self.current != route:
                return
            elsewhere.error.attempts = elsewhere.attempts
            self._missed.append(elsewhere.error)
            self._place = len(self._missed) % len(self._routes)
            if self._place > 0:
                return
            first, self._missed = self._missed[0], []
        raise first


def _is_elsewhere(answer: Answer, *, is_first: bool) -> bool:
    """Tell that nothing is there, or a server that wants another dialect."""
    if answer.status in {404, 405}:
        return True
    if answer.status not in {400, 422} or b'"error_type"' in answer.body:  # TEI understood
        return False
    # TEI misses its field. Beyond the first route any refusal may be that of a wrong guess.
    return b"`texts`" in answer.body or not is_first
