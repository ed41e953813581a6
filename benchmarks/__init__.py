"""One way to measure: `python -m benchmarks NAME` takes a checkpoint or the toy world and gives tables, plots and a report.

Read measurements (what is measured), then run (tasks, resuming, who does them), hosts and judges (who makes and judges the
pictures), data (what is read and drawn), report (what is written).
"""
