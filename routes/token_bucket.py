"""How often a client may ask."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable


class TokenBuckets:
    """One bucket a client: `burst` questions at once, then `rate` a second. The clients longest unseen are forgotten."""

    def __init__(self, burst: int, rate: float, clients: int = 256, clock: Callable[[], float] = time.monotonic):
        self._burst, self._rate, self._clients, self._clock = burst, rate, clients, clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # tokens left, and when that was

    def take(self, client: str) -> int:
        """0 if the client may ask now, else after how many whole seconds it may."""
        now = self._clock()
        tokens, then = self._buckets.pop(client, (float(self._burst), now))
        tokens = min(tokens + (now - then) * self._rate, self._burst)
        wait = 0 if tokens >= 1 else math.ceil((1 - tokens) / self._rate)
        self._buckets[client] = (tokens if wait else tokens - 1, now)
        if len(self._buckets) > self._clients:
            self._buckets.popitem(last=False)
        return wait
