/** What can be done about a mask, or an inversion, that will not do: inputs and the values that they are to have. */
import { filled } from "./cell_shapes.mjs";
import { kept, settingOf } from "./mask_axis.mjs";

const MOST = 95; // percent masked from which on hardly anything is kept

const MASKED_OF_NOTHING = 0.1; // share of the cells that the offered threshold masks where none is
const MASKED_OF_EVERYTHING = 0.3; // and where nearly all are
const HIGHEST_FAITHFUL_CFG = 2; // as diffedit_core/inversion/report.py has it
const EXACT = ["fixed point", "o-belm", "ddpm"]; // of the input method, those that measure and mend, or come back exactly

/** @typedef {import("../parts/remedy_buttons.mjs").Remedy} Remedy */

/**
 * @param {object} mask
 * @param {"" | "nothing" | "everything"} mask.problem
 * @param {string | undefined} mask.setting the input that the line of the histogram moves; undefined if none does.
 * @param {ArrayLike<number>} mask.places of the cells along the histogram's axis, 0 .. 1.
 * @param {(place: number) => number} mask.settingAt the value of `setting` at a place of the line.
 * @param {Uint8Array} mask.cells 1 = masked, all frames.
 * @param {number} mask.width in cells
 * @param {number} mask.height in cells
 * @param {Words} words
 * @returns {Remedy[]}
 */
export function maskRemedies({ problem, setting, places, settingAt, cells, width, height }, words) {
  const remedies = [];
  if (problem && setting) {
    const share = problem === "nothing" ? MASKED_OF_NOTHING : MASKED_OF_EVERYTHING;
    const value = settingAt(placeOf(places, share));
    remedies.push({ label: words(`take.${setting}`, { value: String(value) }), widget: `rule.${setting}`, value });
  }
  if (!problem && hasHoles(cells, width, height)) remedies.push({ label: words("fill"), widget: "fill_holes", value: true });
  return remedies;
}

/** What is wrong with a mask of that many percent. @returns {"" | "nothing" | "everything"} */
export function problemOf(covered) {
  return covered === 0 ? "nothing" : covered > MOST ? "everything" : "";
}

/** The remedies of a mask view that shows this heat map and these cells of its rule. */
export function remediesOf({ face, axis, covered }, { width, height }, rule, cells) {
  const setting = settingOf(rule);
  const settingAt = (place) => kept(setting, axis.settingAt(place));
  const mask = { problem: problemOf(covered), setting, places: axis.places, settingAt, cells, width, height };
  return maskRemedies(mask, (key, values) => face.text(`mask.${key}`, values));
}

/** Where a line would have this share of the cells on its right. */
function placeOf(places, share) {
  const descending = Float64Array.from(places).sort().reverse();
  return descending[Math.floor(share * (descending.length - 1))];
}

function hasHoles(cells, width, height) {
  for (let start = 0; start < cells.length; start += width * height) {
    const frame = cells.subarray(start, start + width * height);
    if (filled(frame, height, width).some((cell, i) => cell !== frame[i])) return true;
  }
  return false;
}

/**
 * @param {{grade: string, missed: number[] | null, cfg: number, method: string}} report
 * @param {Words} words
 * @returns {Remedy[]}
 */
export function inversionRemedies({ grade, missed, cfg, method }, words) {
  const remedies = [];
  if (!missed) remedies.push({ label: words("walkBack"), widget: "walk_back", value: true });
  if (grade === "good") return remedies;
  if (cfg > HIGHEST_FAITHFUL_CFG) remedies.push({ label: words("useCfg", { value: 1 }), widget: "cfg", value: 1 });
  if (grade && !EXACT.includes(method)) {
    remedies.push({ label: words("use", { value: EXACT[0] }), widget: "method", value: EXACT[0] });
  }
  return remedies;
}
