"""One server for a thousand runs: what it keeps, what an interrupt leaves, what a kill leaves.

`python -m soak` (`make soak`) runs all parts at full length, `test_soak.py` each of them for a few seconds.

Read `desk` (the server and what is run on it), then the parts: `runs`, `interrupts`, `killed_saves`, `killed_servers`.
`probe` is a pack of one route, which only this server loads: it counts what the server's process holds.
"""
