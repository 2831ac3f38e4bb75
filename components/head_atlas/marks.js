// What is written on and beside the thumbnails.

/** Layers at the left and heads above in a grid, otherwise each head's name above it; strong under the pointer. */
function paintLabels(pen, { layout, view, theme, header, index, spot }) {
  pen.font = `11px ${theme.font}`;
  pen.textBaseline = "middle";
  const strong = layout.places[index ?? layout.indexOf(header.selected)] ?? null;
  const ink = (same) => rgb(same ? theme.text : theme.muted);
  if (!layout.grid) {
    pen.textAlign = "left";
    const [first, stop] = layout.between(view.top, view.top + view.height);
    for (let at = first; at < stop; at++) {
      const [x, y] = layout.spot(at);
      const [layer, head] = layout.places[at];
      pen.fillStyle = ink(strong === layout.places[at]);
      pen.fillText(`L${layer} H${head}`, x - view.left, y - view.top - 8);
    }
    return;
  }
  const [layers, heads] = header.shape;
  const { left, top, across, down, pitch } = layout;
  pen.save();
  pen.beginPath();
  pen.rect(0, top - 3, left, view.height);
  pen.clip();
  pen.textAlign = "right";
  // Where labels would touch, every second or fifth is written, and the one under the pointer instead of its neighbours.
  const spaced = (count, cell, size, chosen, write) => {
    const every = [1, 2, 5, 10, 20].find((n) => n * cell >= size) ?? 50;
    for (let at = 0; at < count; at += every) {
      if (chosen === null || chosen === at || Math.abs(chosen - at) * cell >= size) write(at, at === chosen);
    }
    if (chosen !== null && chosen % every) write(chosen, true);
  };
  spaced(layers, pitch[1], 13, strong?.[0] ?? null, (layer, same) => {
    pen.fillStyle = ink(same);
    pen.fillText(`L${layer}`, left - 7, top + layer * pitch[1] + down / 2 - view.top);
  });
  pen.restore();
  pen.save();
  pen.beginPath();
  pen.rect(left - 3, 0, view.width, top);
  pen.clip();
  pen.textAlign = "center";
  const x = (head) => left + head * pitch[0] - view.left;
  spaced(heads, pitch[0], heads > 10 ? 29 : 24, strong?.[1] ?? null, (head, same) => {
    pen.fillStyle = ink(same);
    pen.fillText(`H${head}`, x(head) + across / 2, 10);
  });
  if (header.groups > 1) {
    for (let head = 0; head < heads; head += header.groups) {
      const last = Math.min(heads, head + header.groups) - 1;
      const mine = strong && strong[1] >= head && strong[1] <= last;
      pen.fillStyle = rgb(mine ? theme.text : mix(theme.background, theme.text, 0.4));
      pen.fillRect(x(head), 20, x(last) + across - x(head), 2);
      for (const end of [x(head), x(last) + across - 1]) pen.fillRect(end, 20, 1, 5);
    }
  }
  pen.restore();
}

/** A small number in the thumbnail's corner. */
function paintBadge(pen, theme, [x, y], number) {
  pen.fillStyle = rgb(theme.background);
  pen.fillRect(x - 1, y - 1, 16, 16);
  pen.fillStyle = rgb(theme.text);
  pen.fillRect(x, y, 14, 14);
  pen.fillStyle = rgb(theme.background);
  pen.font = `600 10px ${theme.font}`;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.fillText(String(number), x + 7, y + 7.5);
}
