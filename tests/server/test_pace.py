"""What passes say of the next ones."""

import pytest
from jina_rerank_server.pace import TOKENS_PER_CHARACTER, Pace


def test_before_the_first_pass_text_is_taken_for_english_and_a_wait_for_a_second() -> None:
    pace = Pace()
    assert pace.tokens_per_character == TOKENS_PER_CHARACTER
    assert pace.seconds(10_000) == 1.0


def test_wait_is_what_the_documents_take_at_the_last_speed() -> None:
    pace = Pace()
    pace.learn(documents=10, characters=1000, tokens=250, seconds=0.5)
    assert pace.seconds(100) == 5.0


def test_short_wait_is_a_second() -> None:
    pace = Pace()
    pace.learn(documents=10, characters=1000, tokens=250, seconds=0.5)
    assert pace.seconds(1) == 1.0


def test_changed_speed_and_language_are_learnt_over_passes() -> None:
    pace = Pace()
    pace.learn(documents=10, characters=1000, tokens=250, seconds=1)
    for _ in range(30):
        pace.learn(documents=20, characters=1000, tokens=1000, seconds=1)
    assert pace.tokens_per_character == pytest.approx(1.0, rel=0.01)
    assert pace.documents_per_second == pytest.approx(20, rel=0.01)


@pytest.mark.parametrize(("tokens", "seconds"), [(0, 1.0), (10, 0.0)])
def test_pass_that_read_nothing_or_took_no_time_says_nothing(tokens: int, seconds: float) -> None:
    pace = Pace()
    pace.learn(documents=10, characters=1000, tokens=tokens, seconds=seconds)
    assert pace.tokens_per_character == TOKENS_PER_CHARACTER
    assert pace.documents_per_second is None
