"""What the pack costs on a graphics card, and that it gives there what it gives on the CPU: `python -m benchmarks.gpu`.

Read configurations (what is measured), conduct (in which order and time; page writes it down), then worker (one process for
each way to start the host, see host), measures (times and memory) and equality (against the CPU). The models are full-size SD
1.5 and SDXL of random weights (weights).
"""
