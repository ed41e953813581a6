/**
 * diffedit_core/mask/rules.py and mask_rule.py once more, for the browser: the same operations of IEEE numbers in the same order, so
 * that the very same cells are masked. Where Python computes in float32, so does Math.fround; all else is float64.
 *
 * Every rule takes a picture of a `Heatmap` and its own settings by name, and returns
 *   seen:  Float32Array, the heat map as the rule sees it, 0 .. 1
 *   cells: Uint8Array, 1 = may change
 *   line:  where on the scale of `seen` the mask begins
 */
import { filled, grown } from "./cell_shapes.mjs";
import { apply, isOf, parseStrokes } from "./strokes.mjs";

export const MEAN_RATIO = "mean ratio";
export const PAPER = "paper";
export const LEVEL = "level";
export const OTSU = "otsu";
export const AREA = "area";

/** By rule, the settings that it reads. */
export const SETTINGS_OF = {
  [MEAN_RATIO]: ["threshold_ratio", "threshold"],
  [PAPER]: ["outliers", "threshold"],
  [LEVEL]: ["level"],
  [OTSU]: ["area_floor"],
  [AREA]: ["area"],
};

const REGION = 0.3;
const TINY = 2 ** -1022;

const RULES = { [MEAN_RATIO]: meanRatio, [PAPER]: paper, [LEVEL]: level, [OTSU]: otsu, [AREA]: area };

/** One pair by itself, before the mask grows; see above. */
export function judged(heatmap, pair, picture, settings) {
  return RULES[settings.rule](heatmap.picture(pair, picture), settings);
}

/** The mask of one picture, all its frames together: a cell is masked if any pair masks it. Then what was drawn over it. */
export function maskedCells(heatmap, picture, settings) {
  const cells = cellsOfRule(heatmap, picture, settings);
  return touchedUp(cells, heatmap, picture, parseStrokes(settings.strokes) ?? []);
}

/** The mask without what was drawn over it. */
export function cellsOfRule(heatmap, picture, settings) {
  const union = new Uint8Array(heatmap.cells);
  for (let pair = 0; pair < heatmap.pairs; pair++) {
    judged(heatmap, pair, picture, settings).cells.forEach((masked, i) => (union[i] |= masked));
  }
  const { height, width, detail, rim } = heatmap;
  for (let start = 0; start < union.length; start += height * width) {
    let frame = grown(union.subarray(start, start + height * width), height, width, settings.grow * detail + rim);
    if (settings.fill_holes) frame = filled(frame, height, width);
    union.set(frame, start);
  }
  return union;
}

/** The same mask after strokes, of which those of other pictures are left out. */
export function touchedUp(cells, heatmap, picture, strokes) {
  const touched = cells.slice();
  let heat;
  const united = () => (heat ??= heatmap.united(picture));
  for (const stroke of strokes) if (isOf(stroke, picture)) apply(touched, heatmap, united, stroke);
  return touched;
}

/** The `area` at which rule "area" masks the cells of at least this value, in percent. */
export function areaFrom({ ascending }, value) {
  return (100 * ascending.filter((one) => one >= value).length) / ascending.length;
}

function meanRatio({ values, mean }, { threshold_ratio: ratio, threshold }) {
  const cut = ratio * mean;
  return atLeast(values, (value) => clamped(value / cut), threshold);
}

function paper({ values, ascending }, { outliers, threshold }) {
  const highest = quantile(ascending, 1 - outliers / 100);
  const lowest = ascending[0];
  const span = Math.max(highest - lowest, TINY);
  return atLeast(values, (value) => clamped((value - lowest) / span), threshold);
}

function level({ values }, settings) {
  const full = Math.fround(2 * settings.level);
  const lowest = Math.fround(settings.level);
  return { seen: values.map((value) => clamped(value / full)), cells: cellsOf(values, (v) => v >= lowest), line: 0.5 };
}

function otsu(picture, { area_floor: floor }) {
  const { values, ascending } = picture;
  const lowest = otsuThreshold(picture, floor);
  const highest = ascending[ascending.length - 1];
  return { seen: ofHighest(values, highest), cells: cellsOf(values, (v) => v >= lowest), line: lowest / highest };
}

/** The hottest cells; of equal ones the earlier. */
function area({ values, ascending }, { area: percent }) {
  const count = Math.max(1, Math.trunc((values.length * percent) / 100 + 0.5));
  const highest = ascending[ascending.length - 1];
  const lowest = ascending[ascending.length - count];
  let equal = count - ascending.filter((value) => value > lowest).length;
  const cells = cellsOf(values, (value) => value > lowest || (value === lowest && equal-- > 0));
  return { seen: ofHighest(values, highest), cells, line: lowest / highest };
}

function otsuThreshold({ values, ascending, height, width }, floor) {
  const fewest = Math.max(1, Math.trunc((ascending.length * floor) / 100 + 0.5));
  let size = upperGroup(ascending, fewest);
  const first = ascending[ascending.length - size];
  let lowest = first;
  while (coherence(cellsOf(values, (value) => value >= lowest), height, width) < REGION) {
    const smaller = upperGroup(ascending.subarray(ascending.length - size), fewest);
    if (smaller === size) return first;
    size = smaller;
    lowest = ascending[ascending.length - size];
  }
  return lowest;
}

function upperGroup(ascending, fewest) {
  const count = ascending.length;
  let total = 0;
  for (const value of ascending) total += value;
  let sum = 0;
  let best = -1;
  let found = count;
  for (let below = 1; below < count; below++) {
    sum += ascending[below - 1];
    const above = count - below;
    if (!(ascending[below] > ascending[below - 1] && above >= fewest)) continue;
    const gap = (total - sum) / above - sum / below;
    const explained = below * above * (gap * gap);
    if (explained > best) [best, found] = [explained, above];
  }
  return found;
}

function coherence(cells, height, width) {
  let masked = 0;
  let both = 0;
  for (let i = 0; i < cells.length; i++) {
    if (!cells[i]) continue;
    masked++;
    const row = Math.floor(i / width) % height;
    if (row + 1 < height && cells[i + width]) both++;
    if ((i % width) + 1 < width && cells[i + 1]) both++;
  }
  const frames = cells.length / (height * width);
  const count = frames * ((height - 1) * width + height * (width - 1));
  const share = masked / cells.length;
  if (share === 1 || count === 0) return 1;
  return (both / count / share - share) / (1 - share);
}

function quantile(ascending, share) {
  const rank = share * (ascending.length - 1);
  const below = ascending[Math.floor(rank)];
  const above = ascending[Math.ceil(rank)];
  return below + (rank - Math.floor(rank)) * (above - below);
}

function atLeast(values, rescale, threshold) {
  const seen = values.map(rescale);
  const line = Math.fround(threshold);
  return { seen, cells: cellsOf(seen, (value) => value >= line), line };
}

function ofHighest(values, highest) {
  return values.map((value) => value / highest);
}

function cellsOf(values, masked) {
  const cells = new Uint8Array(values.length);
  for (let i = 0; i < cells.length; i++) cells[i] = masked(values[i]) ? 1 : 0;
  return cells;
}

function clamped(value) {
  return Math.min(1, Math.max(0, value));
}
