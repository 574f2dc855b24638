"""x"""
import pytest
from lies import Served

def test_honest(trial, world, record):
    import time
    t0=time.monotonic()
    t = trial(Served)
    t.wait_good()
    print('alone', t.seconds(), time.monotonic()-t0)
    t.end()
    t = trial(open_door=True)
    t.wait_good()
    print('node', t.seconds())
    t.end()
    t = trial(Served, open_door=True, speed=10)
    t.wait_good()
    print('both', t.seconds())
    t.end()
    record('none', 'nothing', f'{t.seconds():.1f}')
