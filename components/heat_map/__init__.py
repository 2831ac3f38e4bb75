"""One attention map, query tokens down and key tokens across, on a canvas."""
