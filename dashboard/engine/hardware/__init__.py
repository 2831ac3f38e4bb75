"""Where models run: devices, number formats, placement of layers, and memory."""
