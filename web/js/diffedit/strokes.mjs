/**
 * diffedit_core/mask/strokes.py once more, for the browser: what a person drew over a mask, as a text and as cells. The same
 * operations of float64 in the same order, so that the very same cells are masked.
 *
 * @typedef {{kind: string, picture: number, frame: number | undefined, radius: number, points: [number, number][]}} Stroke
 */
import { connected } from "./cell_shapes.mjs";

export const UNIT = 10000; // of coordinates and radii
export const PAINT = "paint";
export const ERASE = "erase";
export const ADD = "add";
export const REMOVE = "remove";

const TOUCH = 0.5; // cells squared; no brush is smaller, so that it covers the cell that it is in, wherever in it
const NUMBER = "[1-9][0-9]{0,4}";
const POINT = "[0-9]{1,5},[0-9]{1,5}";
const PLACE = `(${NUMBER})(?:\\.(${NUMBER}))?`;
const BRUSH = new RegExp(`^(${PAINT}|${ERASE}) ${PLACE} (${NUMBER})((?: ${POINT})+)$`);
const AREA = new RegExp(`^(${ADD}|${REMOVE}) ${PLACE}()( ${POINT})$`);

/** The strokes of a text; undefined if one of them is none. @param {string} text @returns {Stroke[] | undefined} */
export function parseStrokes(text) {
  const parts = text.split(";").map((part) => part.replace(/^ +| +$/g, ""));
  if (parts.length === 1 && parts[0] === "") return [];
  const strokes = parts.map(parsed);
  return strokes.includes(undefined) ? undefined : /** @type {Stroke[]} */ (strokes);
}

/** The other way round. @param {Stroke[]} strokes */
export function textOf(strokes) {
  return strokes.map(({ kind, picture, frame, radius, points }) => {
    const place = frame === undefined ? picture + 1 : `${picture + 1}.${frame + 1}`;
    return [kind, place, ...(radius ? [radius] : []), ...points.map((point) => point.join(","))].join(" ");
  }).join("; ");
}

/** Whether a stroke is of this picture, or of this frame of it. @param {Stroke} stroke @param {number} [frame] */
export const isOf = (stroke, picture, frame) =>
  stroke.picture === picture && [undefined, frame ?? stroke.frame].includes(stroke.frame);

/**
 * Changes the mask of one picture, all its frames together, by a stroke of it.
 *
 * @param {Uint8Array} cells
 * @param {{height: number, width: number}} size of a frame
 * @param {() => Float64Array} heat of which areas are added
 * @param {Stroke} stroke
 */
export function apply(cells, { height, width }, heat, stroke) {
  const size = height * width;
  const frames = stroke.frame === undefined ? Array.from({ length: cells.length / size }, (_, i) => i) : [stroke.frame];
  for (const start of frames.map((frame) => frame * size)) {
    const frame = cells.subarray(start, start + size);
    if (stroke.radius) cover(frame, height, width, stroke);
    else changeArea(frame, height, width, heat().subarray(start, start + size), stroke);
  }
}

/** The cell of a frame that a point is in. */
export function cellAt([x, y], height, width) {
  const [row, column] = [Math.floor((y * height) / UNIT), Math.floor((x * width) / UNIT)];
  return Math.min(row, height - 1) * width + Math.min(column, width - 1);
}

/** The cells whose centre lies within the brush somewhere on its way. */
function cover(cells, height, width, { kind, radius, points }) {
  const value = kind === PAINT ? 1 : 0;
  const reach = (radius * Math.max(height, width)) / UNIT;
  const nearest = Math.max(reach * reach, TOUCH);
  const scaled = points.map(([x, y]) => [(x * width) / UNIT, (y * height) / UNIT]);
  for (let i = 0; i < Math.max(1, scaled.length - 1); i++) {
    const [ax, ay] = scaled[i];
    const [bx, by] = scaled[i + 1] ?? scaled[i];
    const [top, bottom] = near(Math.min(ay, by), Math.max(ay, by), reach, height);
    const [left, right] = near(Math.min(ax, bx), Math.max(ax, bx), reach, width);
    const [dx, dy] = [bx - ax, by - ay];
    const length = dx * dx + dy * dy;
    for (let row = top; row < bottom; row++) {
      const y = row + 0.5 - ay;
      for (let column = left; column < right; column++) {
        const x = column + 0.5 - ax;
        const along = length > 0 ? Math.min(1, Math.max(0, (x * dx + y * dy) / length)) : 0;
        const awayX = x - along * dx;
        const awayY = y - along * dy;
        if (awayX * awayX + awayY * awayY <= nearest) cells[row * width + column] = value;
      }
    }
  }
}

/** Of `count` cells in a line those that the brush may cover, and a few more. */
function near(low, high, reach, count) {
  return [Math.max(0, Math.floor(low - reach) - 1), Math.min(count, Math.ceil(high + reach) + 1)];
}

function changeArea(cells, height, width, heat, { kind, points }) {
  const start = cellAt(points[0], height, width);
  const least = heat[start] / 2;
  const isWithin = kind === ADD ? (i) => heat[i] >= least : (i) => cells[i] === 1;
  if (!isWithin(start)) return;
  connected(isWithin, [start], height, width).forEach((reached, i) => {
    if (reached) cells[i] = kind === ADD ? 1 : 0;
  });
}

function parsed(text) {
  const [, kind, picture, frame, radius, points] = BRUSH.exec(text) ?? AREA.exec(text) ?? [];
  if (kind === undefined) return undefined;
  const places = points.trim().split(" ").map((point) => point.split(",").map(Number));
  if (Math.max(Number(radius), ...places.flat()) > UNIT) return undefined;
  const ofFrame = frame === undefined ? undefined : Number(frame) - 1;
  return { kind, picture: Number(picture) - 1, frame: ofFrame, radius: Number(radius), points: places };
}
