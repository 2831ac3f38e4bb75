// Signed bars over a head's dimensions: where they stand and how they are painted.

const BAND = 40; // a key's row
const HEAD = 62; // the query's row with the names of the columns above it

/** Columns: token, k, q × k, and the numbers; narrow places leave k out. */
function columnsOf(width, widest) {
  const token = Math.min(150, widest, Math.floor(width * 0.24));
  const number = 62;
  const share = 52; // the bar of a weight of 1
  const room = width - token - 2 * number - share - 28;
  const both = room >= 300;
  const key = both ? Math.floor(room * 0.4) : 0;
  const product = room - key - (both ? 14 : 0);
  let x = token + 12;
  const columns = { token, key: both ? [x, key] : null };
  x += both ? key + 14 : 0;
  columns.product = [x, product];
  columns.score = x + product + number + 4;
  columns.weight = columns.score + number;
  columns.share = [columns.weight + 8, share];
  return columns;
}

/** One bar a dimension, up for positive and down for negative. */
function paintBars(pen, theme, values, maximum, [left, width], middle, half) {
  const across = width / values.length;
  const gap = across >= 4 ? 1 : 0;
  for (let at = 0; at < values.length; at++) {
    const size = Math.min(1, Math.abs(values[at]) / maximum) * half;
    pen.fillStyle = rgb(values[at] < 0 ? theme.negative : theme.positive);
    const height = Math.max(values[at] === 0 ? 0 : 0.5, size);
    pen.fillRect(left + at * across, values[at] < 0 ? middle : middle - height, Math.max(0.6, across - gap), height);
  }
  pen.fillStyle = rgb(mix(theme.background, theme.text, 0.3));
  pen.fillRect(left, middle - 0.25, width, 0.5);
}
