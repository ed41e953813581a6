"""What the example workflows have in common."""

TOY_CHECKPOINT = "toyworld.safetensors"
EXAMPLE_PICTURE = "time_diffedit_example.png"

TIME_DEFAULTS = {
    "strength": 1.0,
    "edit_keys": True,
    "edit_values": True,
    "augmentations": "A photo of \nAn image of \nA picture of ",
    "preserve": "",
}
