/** diffedit_core/mask/cell_shapes.py once more, for the browser: what may be done to one frame of a mask, in cells. */

/** Larger by `cells` to all sides, in circles; smaller if negative, but not from the edge of the picture. */
export function grown(frame, height, width, cells) {
  if (cells === 0 || frame.every((cell) => cell) || !frame.some((cell) => cell)) return frame;
  const value = cells > 0 ? 1 : 0;
  const near = within(frame, height, width, value, Math.abs(cells));
  return near.map((close) => (close ? value : 1 - value));
}

/** Without holes: what cannot be reached from the edge without crossing the mask, by sides and not by corners. */
export function filled(frame, height, width) {
  const edge = [];
  for (let row = 0; row < height; row++) edge.push(row * width, row * width + width - 1);
  for (let column = 0; column < width; column++) edge.push(column, (height - 1) * width + column);
  return connected((i) => !frame[i], edge, height, width).map((reached) => 1 - reached);
}

/**
 * What can be reached from `starts` by the sides of cells, over cells that lie within.
 *
 * @param {(cell: number) => boolean} isWithin
 * @param {number[]} starts
 */
export function connected(isWithin, starts, height, width) {
  const found = new Uint8Array(height * width);
  const waiting = [];
  const reach = (i) => {
    if (found[i] || !isWithin(i)) return;
    found[i] = 1;
    waiting.push(i);
  };
  starts.forEach(reach);
  while (waiting.length) {
    const i = /** @type {number} */ (waiting.pop());
    const column = i % width;
    if (i >= width) reach(i - width);
    if (i + width < found.length) reach(i + width);
    if (column > 0) reach(i - 1);
    if (column + 1 < width) reach(i + 1);
  }
  return found;
}

/** Which cells lie at most `distance` from one that has `value`. */
function within(frame, height, width, value, distance) {
  const vertical = distanceInColumn(frame, height, width, value);
  return frame.map((_, i) => {
    const column = i % width;
    const row = i - column;
    const last = Math.min(width - 1, column + distance);
    for (let other = Math.max(0, column - distance); other <= last; other++) {
      if ((other - column) ** 2 + vertical[row + other] ** 2 <= distance ** 2) return 1;
    }
    return 0;
  });
}

/** From each cell to the nearest in its column that has `value`. */
function distanceInColumn(frame, height, width, value) {
  const found = new Float64Array(frame.length).fill(Infinity);
  for (let column = 0; column < width; column++) {
    const walk = (row, step) => {
      for (let away = Infinity; row >= 0 && row < height; row += step) {
        const i = row * width + column;
        away = frame[i] === value ? 0 : away + 1;
        found[i] = Math.min(found[i], away);
      }
    };
    walk(0, 1);
    walk(height - 1, -1);
  }
  return found;
}
