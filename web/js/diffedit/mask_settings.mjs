/** What the next run reads: the node's own inputs, or what the last run got from other nodes. */
import { SETTINGS_OF } from "./mask_rules.mjs";
import { STROKES } from "./touch_up.mjs";

const RULE = "rule"; // the input
// Inputs that the browser can follow besides; the values in the file were made with the others.
const FOLLOWED = ["grow", "fill_holes", STROKES];

/** The input that holds a setting of the rule. */
export function inputOf(setting) {
  return `${RULE}.${setting}`;
}

/** By the names that `maskedCells` gives them. @param {Face} face @param {import("./heatmap.mjs").Heatmap} heatmap */
export function settingsOf(face, heatmap) {
  const rule = valueOf(face, RULE, heatmap);
  const chosen = { rule };
  for (const name of SETTINGS_OF[rule]) chosen[name] = valueOf(face, inputOf(name), heatmap);
  for (const name of FOLLOWED) chosen[name] = valueOf(face, name, heatmap);
  chosen[STROKES] ??= ""; // a run of an older version had none
  return chosen;
}

/** Inputs that have changed since the run, and that the browser cannot follow. */
export function staleInputs(face, heatmap) {
  const followed = (name) => name === RULE || name.startsWith(inputOf("")) || FOLLOWED.includes(name);
  const others = Object.keys(heatmap.settings).filter((name) => !followed(name) && !face.isLinked(name));
  return others.filter((name) => {
    const own = face.value(name);
    return own !== undefined && own !== heatmap.settings[name];
  });
}

function valueOf(face, name, heatmap) {
  const own = face.value(name);
  const last = heatmap.settings[name];
  return own === undefined || (last !== undefined && face.isLinked(name)) ? last : own;
}
