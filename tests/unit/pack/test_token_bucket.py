"""How often a client may ask."""

from time_diffedit.routes.token_bucket import TokenBuckets


def buckets(**changes) -> tuple[TokenBuckets, list[float]]:
    now = [100.0]
    return TokenBuckets(**{"burst": 3, "rate": 0.5, "clock": lambda: now[0], **changes}), now


def test_a_burst_and_then_so_many_a_second():
    asked, now = buckets()
    assert [asked.take("a") for _ in range(4)] == [0, 0, 0, 2]
    now[0] += 1
    assert asked.take("a") == 1
    now[0] += 1
    assert [asked.take("a") for _ in range(2)] == [0, 2]
    now[0] += 3600
    assert [asked.take("a") for _ in range(4)] == [0, 0, 0, 2]


def test_clients_do_not_share():
    asked, _ = buckets(burst=1)
    assert [asked.take(client) for client in "abab"] == [0, 0, 2, 2]


def test_only_so_many_clients_are_remembered():
    asked, _ = buckets(burst=1, clients=2)
    assert [asked.take(client) for client in "abcb"] == [0, 0, 0, 2]
    assert asked.take("a") == 0
