/**
 * What the histogram's axis means under each rule, and which input its line moves.
 *
 *   places:    Float32Array, where on the axis, 0 .. 1, each cell lies
 *   line:      where the mask begins
 *   heatAt:    place -> heat as the rule sees it, 0 .. 1
 *   setting:   input that the line moves, or undefined
 *   settingAt: place -> its value
 *
 * All but `setting` are of one picture of one pair.
 */
import { AREA, LEVEL, MEAN_RATIO, OTSU, PAPER, areaFrom, judged } from "./mask_rules.mjs";

/** Of the inputs that a line moves: limits, one step by keyboard, and the decimals that the input keeps. */
export const SETTINGS = {
  threshold: { min: 0, max: 1, step: 0.01, decimals: 2 },
  level: { min: 0.0001, max: 100, step: 0.005, decimals: 4 },
  area: { min: 0.1, max: 100, step: 0.5, decimals: 1 },
};

const MOVED = { [MEAN_RATIO]: "threshold", [PAPER]: "threshold", [LEVEL]: "level", [AREA]: "area", [OTSU]: undefined };
const ROOM = 1.1; // of the axis of levels, beyond the hottest cell

export function settingOf(rule) {
  return MOVED[rule];
}

/** As the input itself would keep a value. */
export function kept(setting, value) {
  const { min, max, decimals } = SETTINGS[setting];
  return Number(Math.min(max, Math.max(min, value)).toFixed(decimals));
}

export function axisOf(heatmap, pair, picture, settings) {
  const { seen, line } = judged(heatmap, pair, picture, settings);
  const own = heatmap.picture(pair, picture);
  const highest = own.ascending[own.ascending.length - 1];
  if (settings.rule === LEVEL) {
    const end = ROOM * highest;
    return {
      seen,
      places: own.values.map((value) => value / end),
      line: settings.level / end,
      heatAt: (place) => Math.min(1, (place * end) / (2 * settings.level)),
      settingAt: (place) => place * end,
    };
  }
  const settingAt = settings.rule === AREA ? (place) => areaFrom(own, place * highest) : (place) => place;
  return { seen, places: seen, line, heatAt: (place) => place, settingAt };
}
