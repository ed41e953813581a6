/** Draws how many cells have how much heat. */

const BAR = 3; // pixels
const RAMP = 5;

/** How many of `places`, each 0 .. 1, fall into each of `bins` equal parts. */
export function counted(places, bins) {
  const counts = new Array(bins).fill(0);
  for (const place of places) counts[Math.min(bins - 1, Math.floor(place * bins))]++;
  return counts;
}

/**
 * Bars as high as the square root of their counts, so that few hot cells beside thousands of cold ones can be seen, over the
 * colours that the heat has there.
 *
 * @param {HTMLCanvasElement} canvas as many pixels as it shall have
 * @param {number} scale pixels of the canvas to a pixel of the page
 * @param {ArrayLike<number>} places of the cells along the axis, 0 .. 1
 * @param {number} line from where on cells are masked
 * @param {{below: string, above: string}} inks of the bars
 * @param {(place: number) => string} colourAt of the heat map
 */
export function drawHistogram(canvas, scale, places, line, inks, colourAt) {
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const { width, height } = canvas;
  context.clearRect(0, 0, width, height);
  const bins = Math.max(1, Math.round(width / scale / BAR));
  const counts = counted(places, bins);
  const highest = Math.sqrt(Math.max(...counts));
  const room = height - (RAMP + 2) * scale;
  for (let bin = 0; bin < bins; bin++) {
    const [left, right] = [bin, bin + 1].map((edge) => Math.round((edge * width) / bins));
    const bar = (Math.sqrt(counts[bin]) / highest) * room;
    context.fillStyle = (bin + 0.5) / bins < line ? inks.below : inks.above;
    context.fillRect(left, room - bar, right - left - 1, bar);
    context.fillStyle = colourAt((bin + 0.5) / bins);
    context.fillRect(left, height - RAMP * scale, right - left, RAMP * scale);
  }
}
