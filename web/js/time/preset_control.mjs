/**
 * One control that writes many inputs, so that what one sees is what runs. Inputs that another node feeds stay as they are.
 */
import { html } from "../parts/markup.mjs";
import { PRESETS } from "./presets.mjs";

const PUBLISHED = "published";
const CUSTOM = "custom";

export const PRESET_STYLE = `
  .preset { display: inline-flex; flex-wrap: wrap; align-items: center; gap: 4px; }
  .preset select { font: inherit; color: inherit; background: var(--comfy-input-bg, #222); cursor: pointer;
    border: 1px solid var(--border-color, #4e4e4e); border-radius: 4px; padding: 0 4px; height: 20px; }
`;

/** @param {Face} face */
export function presetControl(face) {
  const words = (key, values) => face.text(`alignment.${key}`, values);
  const options = [...Object.keys(PRESETS), CUSTOM].map((name) =>
    html("option", { value: name, disabled: name === CUSTOM, title: words(`${name}Help`) }, words(name)),
  );
  const choice = /** @type {HTMLSelectElement} */ (html("select", { onchange: () => take(choice.value) }, options));
  const note = html("span", { class: "quiet", role: "status" });
  const element = html("span", { class: "preset" }, html("label", {}, words("preset"), " ", choice), note);

  function take(name) {
    for (const [input, value] of Object.entries(valuesOf(name))) if (!face.isLinked(input)) face.setValue(input, value);
    update();
  }

  function update() {
    const name = Object.keys(PRESETS).find((one) => isTaken(face, valuesOf(one))) ?? CUSTOM;
    choice.value = name;
    choice.title = words(`${name}Help`);
    note.textContent = name !== PUBLISHED && name !== CUSTOM && !face.isLinked("prior") ? words("noPrior") : "";
  }

  return { element, update };
}

/** All inputs that a preset writes. */
const valuesOf = (name) => ({ ...PRESETS[PUBLISHED], ...PRESETS[name] });

/** @param {Face} face @param {Record<string, unknown>} values */
const isTaken = (face, values) =>
  Object.entries(values).every(([input, value]) => face.isLinked(input) || face.value(input) === value);
