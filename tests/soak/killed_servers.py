"""kill -9 of the server in the middle of a run: started again it makes the same pictures, and finds its files whole."""

import os
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .desk import Desk, new_server, workflows

SAVES = "time_save_and_reuse"  # an edit, a LoRA, and what they make


def killed_servers(count: int, seed: int) -> dict[str, Any]:
    """AssertionError if a picture differs afterwards, or a file that was being saved cannot be loaded."""
    order, known = random.Random(seed), workflows()
    server = new_server()
    try:
        server.start()
        desk = Desk(server)
        desk.prepare()
        alone = desk.run(known[SAVES])
        assert alone.end == "execution_success", alone.said
        for number in range(1, count + 1):
            name = SAVES if number % 2 else order.choice(list(known))
            with ThreadPoolExecutor(1) as pool:
                running = pool.submit(desk.run, known[name])
                time.sleep(order.uniform(0, alone.seconds))
                os.killpg(server.process.pid, signal.SIGKILL)
                server.process.wait()
                running.exception()  # the connection breaks off, or the run was over
            server.start()
            assert desk.run(known[SAVES]).pictures == alone.pictures, f"after kill {number}, in {name}, pictures are others"
    finally:
        server.close()
    return {"kills": count}
