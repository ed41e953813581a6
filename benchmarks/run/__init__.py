"""In: a measurement and where it runs. Out: the results of all its tasks, kept in a store, and its report.

Read measurement and conduct; then workers, store and manifest.
"""
