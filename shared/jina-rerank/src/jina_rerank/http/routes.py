"""Which of several addresses a server answers at: found out once, by asking."""

from collections.abc import Sequence

from ..address import Route
from ..errors import APIStatusError
from ..wire.values import Answer


class ElsewhereError(APIStatusError):
    """The answer of an address where something else is; holds the error that says so."""

    def __init__(self, error: APIStatusError) -> None:
        super().__init__(*error.args, status=error.status, code=error.code)
        self.error = error


class Routes:
    """The routes to try, and the one that answered, once there is one; shared by all calls.

    Args:
        routes: At least one, the likeliest first.
    """

    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes = tuple(routes)
        self._settled = self._routes[0] if len(self._routes) == 1 else None

    def search(self) -> "Search":
        """Begin a call."""
        return Search(self)

    def check(self, route: Route, answer: Answer, error: APIStatusError) -> APIStatusError:
        """Return the error to raise for an answer, which may say that the server is elsewhere."""
        is_first = route == self._routes[0]
        if self._settled == route or not _is_elsewhere(answer, is_first=is_first):
            return error
        return ElsewhereError(error)

    def stay(self, route: Route) -> None:
        """Keep a route that has answered."""
        if self._settled is None:
            self._settled = route

    def after(self, misses: int) -> Route | None:
        """Return the route that answered, or the one to try after so many; None if none is left."""
        settled = self._settled
        if settled is not None:
            return settled
        return self._routes[misses] if misses < len(self._routes) else None


class Search:
    """How far one call is with the routes.

    Each call counts its own misses: calls at once would otherwise send each other around again.
    """

    def __init__(self, routes: Routes) -> None:
        self._routes = routes
        self._missed: list[APIStatusError] = []

    @property
    def current(self) -> Route:
        """The route to use now.

        Raises:
            APIStatusError: There is none left; the error of the likeliest, for all of them.
        """
        route = self._routes.after(len(self._missed))
        if route is None:
            raise self._missed[0]
        return route

    def missed(self, elsewhere: ElsewhereError) -> None:
        """Go on to the next route."""
        elsewhere.error.attempts = elsewhere.attempts
        self._missed.append(elsewhere.error)


def _is_elsewhere(answer: Answer, *, is_first: bool) -> bool:
    """Tell that nothing is there, or a server that wants another dialect."""
    if answer.status in {404, 405}:
        return True
    if answer.status not in {400, 422} or b'"error_type"' in answer.body:  # TEI understood
        return False
    # TEI misses its field. Beyond the first route any refusal may be that of a wrong guess.
    return b"`texts`" in answer.body or not is_first
