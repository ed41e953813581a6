"""In: a way to make and judge pictures at a lambda. Out: the lambda at which a wanted share of them shows the destination.

Read `search`, `curve` and `balancing`, then `probe` (pictures by the host) and `zero_shot` (their judge); `report` and `plot`
say what came out.
"""
