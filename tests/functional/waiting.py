"""Waiting for a condition, with a limit; and free ports."""
import random
import socket
import time


def wait_until(condition, what, limit=30, step=0.05):
    """The first true result of condition(); fails after `limit` seconds, saying `what` it
    waited for: a text, or a function that gives one."""
    deadline = time.monotonic() + limit
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f'waited {limit} s for {what() if callable(what) else what}')
        time.sleep(step)


def free_port():
    """A loopback port that nobody listens on, below the range that outgoing connections take."""
    while True:
        port = random.randrange(15000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(('127.0.0.1', port))
                return port
            except OSError:
                continue
