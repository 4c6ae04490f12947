"""Which mails are asked for again, and when, if the server does not give them."""

from notifiers.email.mailbox.fetch_retries import ATTEMPTS, FetchRetries


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_who_failed_in_company_is_asked_for_alone_at_once() -> None:
    mails = FetchRetries(Clock())
    mails.forget_all_but(1, [1, 2, 3])
    mails.failed([1, 2], alone=False)
    assert [uid in mails for uid in (1, 2, 3)] == [True, True, False]
    assert mails.is_due(1)
    mails.succeeded([1])
    assert 1 not in mails


def test_who_fails_alone_is_asked_for_less_and_less_often_and_given_up_in_the_end() -> None:
    clock = Clock()
    mails = FetchRetries(clock)
    mails.forget_all_but(1, [1])
    pauses = []
    while not mails.is_given_up(1):
        mails.failed([1], alone=True)
        start = clock.now
        while not mails.is_due(1):
            clock.now += 1
        pauses.append(clock.now - start)
    assert pauses == [0, 2, 4, 8, 16, 32]
    assert len(pauses) == ATTEMPTS


def test_numbers_mean_nothing_once_they_are_given_anew_or_gone() -> None:
    mails = FetchRetries(Clock())
    mails.forget_all_but(1, [1, 2])
    mails.failed([1], alone=True)
    mails.failed([2], alone=True)
    mails.forget_all_but(1, [2])
    assert [uid in mails for uid in (1, 2)] == [False, True]
    mails.forget_all_but(2, [1, 2])
    assert 2 not in mails
    assert mails.is_due(2)
