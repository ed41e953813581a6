"""In: a measurement and where it runs. Out: the results of all its tasks, kept in a store, and its report.

Read values, measurement, conduct; then worker, store and the pools.
"""
