"""What is known of a request: for its log line, its metrics, and the format of its errors."""

from dataclasses import dataclass
from typing import ClassVar, Self

from starlette.types import Scope

from .formats import JINA, ROUTES, Format

OTHER = "other"
"""The route of a path that is none: paths may hold anything, logs and metrics may not."""


@dataclass(slots=True, kw_only=True)
class Facts:
    """A request, as far as it has come; whoever finds something out writes it down.

    Attributes:
        request_id: Its id.
        method: The HTTP method.
        route: The route that it asks for; `OTHER` if there is none.
        format: What it speaks.
        model: The model that it is for, by the name in metrics; empty for none.
        documents: How many documents it has.
        tokens: How many tokens the model read.
        status: The status that it got; 0 before it got any.
        reason: Why it was refused; empty if it was not.
    """

    KEY: ClassVar[str] = "jina_rerank.facts"

    request_id: str
    method: str
    route: str = OTHER
    format: Format = JINA
    model: str = ""
    documents: int = 0
    tokens: int = 0
    status: int = 0
    reason: str = ""

    @classmethod
    def of(cls, scope: Scope) -> Self:
        """Find what is known of a request."""
        facts: Self = scope[cls.KEY]
        return facts

    @property
    def is_rerank(self) -> bool:
        """True for a route that ranks."""
        return self.route in ROUTES
