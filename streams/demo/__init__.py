"""`ringback demo`: the main job end to end on one machine, and whether it came out as it must."""
