// The thumbnails' pixels: pooled to the size in which they are drawn, and coloured.

/**
 * The thumbnails with at most `highest` × `widest` pixels each. Where the screen has fewer than were sent, a pixel stays the
 * strongest (or the mean) of its weights; the browser's own scaling would drop whole rows of them.
 */
function poolPixels({ pixels, shape }, [highest, widest], mean) {
  const [layers, heads, rows, columns] = shape;
  const [height, width] = [Math.min(rows, highest), Math.min(columns, widest)];
  if (height === rows && width === columns) return { pixels, shape };
  const edges = (count, size) => Array.from({ length: size + 1 }, (_, at) => Math.floor((at * count) / size));
  const [down, across] = [edges(rows, height), edges(columns, width)];
  const pooled = new Uint8Array(layers * heads * height * width);
  for (let head = 0, to = 0; head < layers * heads; head++) {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++, to++) {
        let [strongest, sum] = [0, 0];
        for (let row = down[y]; row < down[y + 1]; row++) {
          const line = (head * rows + row) * columns;
          for (let at = line + across[x]; at < line + across[x + 1]; at++) {
            strongest = Math.max(strongest, pixels[at]);
            sum += pixels[at];
          }
        }
        const count = (down[y + 1] - down[y]) * (across[x + 1] - across[x]);
        pooled[to] = mean ? Math.round(sum / count) : strongest;
      }
    }
  }
  return { pixels: pooled, shape: [layers, heads, height, width] };
}

/** Every pixel through the palette, once: from here on thumbnails are only copied. */
function colourPixels({ pixels, shape }, palette) {
  const [layers, heads, rows, columns] = shape;
  const colours = Uint32Array.from(
    table(palette),
    ([r, g, b]) => ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0,
  );
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [heads * columns, layers * rows];
  const image = new ImageData(canvas.width, canvas.height);
  const out = new Uint32Array(image.data.buffer);
  for (let head = 0, from = 0; head < layers * heads; head++) {
    const corner = Math.floor(head / heads) * rows * canvas.width + (head % heads) * columns;
    for (let row = 0; row < rows; row++) {
      let to = corner + row * canvas.width;
      for (let column = 0; column < columns; column++) out[to++] = colours[pixels[from++]];
    }
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
  return { canvas, source: ([layer, head]) => [head * columns, layer * rows, columns, rows] };
}

/** The heads that are 0 everywhere, as layer × heads + head. */
function emptyHeads({ pixels, shape: [layers, heads, rows, columns] }) {
  const size = rows * columns;
  const all = Array.from({ length: layers * heads }, (_, head) => head);
  return new Set(all.filter((head) => pixels.subarray(head * size, (head + 1) * size).every((pixel) => !pixel)));
}
