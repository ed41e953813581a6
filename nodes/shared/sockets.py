"""The pack's own socket types. Each carries the frozen dataclass named beside it."""

from comfy_api.latest import io

TimeEditSocket = io.Custom("TIME_EDIT")  # time_core.equations.time_edit.TimeEdit
TimePriorSocket = io.Custom("TIME_PRIOR")  # time_core.equations.prior.Prior
TrajectorySocket = io.Custom("TRAJECTORY")  # diffedit_core.inversion.trajectory.Trajectory
HeatmapSocket = io.Custom("HEATMAP")  # diffedit_core.mask.heatmap.Heatmap
CropSocket = io.Custom("CROP")  # diffedit_core.repaint.crop.Crop

CATEGORY_TIME = "TIME & DiffEdit/TIME"
CATEGORY_DIFFEDIT = "TIME & DiffEdit/DiffEdit"
