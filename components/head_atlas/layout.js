// Where each thumbnail stands: a grid of layers and heads, or flowing rows in a given order. Both are rows of equal cells.

const SMALLEST = 24;
const SHORTEST = 16; // a flat thumbnail is still one to point at
const GAP = 3;

class Layout {
  constructor(header, width) {
    const [layers, heads, rows, columns] = header.shape;
    this.grid = header.places === null;
    this.places =
      header.places ??
      Array.from({ length: layers * heads }, (_, index) => [Math.floor(index / heads), index % heads]);
    this.left = this.grid ? 34 : 3;
    // Beneath the heads' labels stands the line that joins heads which share keys.
    this.top = this.grid ? (header.groups > 1 ? 30 : 23) : 3;
    this.label = this.grid ? 0 : 16; // above each thumbnail
    const room = width - this.left - 3;
    const size = this.grid ? Math.floor(room / heads) - GAP : header.largest;
    this.across = Math.min(header.largest, Math.max(this.grid ? SMALLEST : 44, size));
    this.down = Math.max(SHORTEST, Math.round(this.across * Math.min(1, rows / columns)));
    this.pitch = [this.across + (this.grid ? GAP : 8), this.down + this.label + (this.grid ? GAP : 6)];
    this.columns = this.grid ? heads : Math.max(1, Math.floor((room + 8) / this.pitch[0]));
    this.lines = Math.ceil(this.places.length / this.columns);
    this.width = this.left + Math.min(this.columns, this.places.length) * this.pitch[0] + 1;
    this.height = this.top + this.lines * this.pitch[1] + 1;
    this.order = new Map(this.places.map((place, index) => [String(place), index]));
  }

  /** [x, y, width, height] of a thumbnail in the whole picture. */
  spot(index) {
    const [x, y] = [index % this.columns, Math.floor(index / this.columns)];
    return [
      this.left + x * this.pitch[0],
      this.top + y * this.pitch[1] + this.label,
      this.across,
      this.down,
    ];
  }

  indexOf(head) {
    return head === null ? null : (this.order.get(String(head)) ?? null);
  }

  indexAt(x, y) {
    const column = Math.floor((x - this.left) / this.pitch[0]);
    const line = Math.floor((y - this.top) / this.pitch[1]);
    if (column < 0 || column >= this.columns || line < 0) return null;
    const index = line * this.columns + column;
    return index < this.places.length ? index : null;
  }

  /** Thumbnails between two heights of the picture: first and one after the last. */
  between(low, high) {
    const line = (y) => Math.min(this.lines, Math.max(0, Math.floor((y - this.top) / this.pitch[1])));
    return [line(low) * this.columns, Math.min(this.places.length, (line(high) + 1) * this.columns)];
  }

  step(key, index) {
    const column = index % this.columns;
    const last = this.places.length - 1;
    const next = {
      ArrowLeft: index - 1,
      ArrowRight: index + 1,
      ArrowUp: index - this.columns,
      ArrowDown: index + this.columns,
      Home: index - column,
      End: Math.min(last, index - column + this.columns - 1),
    }[key];
    if (next === undefined) return null;
    return next < 0 || next > last ? index : next;
  }
}
