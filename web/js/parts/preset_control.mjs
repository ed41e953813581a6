/**
 * One control that writes many inputs, so that what one sees is what runs. Inputs that another node feeds stay as they are.
 */
import { html } from "./markup.mjs";

const PUBLISHED = "published";
const CUSTOM = "custom";

export const PRESET_STYLE = `
  .preset { display: inline-flex; flex-wrap: wrap; align-items: center; gap: 4px; }
  .preset select { font: inherit; color: inherit; background: var(--comfy-input-bg, #222); cursor: pointer;
    border: 1px solid var(--border-color, #4e4e4e); border-radius: 4px; padding: 0 4px; height: 20px; }
`;

/**
 * @param {Face} face
 * @param {Record<string, Record<string, unknown>>} presets by name, inputs and their values; PUBLISHED has all inputs
 * @param {string} view whose words are said: for each preset, under its name in one word, a name and a help
 * @param {(name: string) => string} lacks what the preset of this name still needs, in words; "" for nothing
 */
export function presetControl(face, presets, view, lacks) {
  const words = (key) => face.text(`${view}.${key}`);
  const wordOf = (name) => name.replaceAll(" ", "_");
  const options = [...Object.keys(presets), CUSTOM].map((name) =>
    html("option", { value: name, disabled: name === CUSTOM, title: words(`${wordOf(name)}Help`) }, words(wordOf(name))),
  );
  const choice = /** @type {HTMLSelectElement} */ (html("select", { onchange: () => take(choice.value) }, options));
  const note = html("span", { class: "quiet", role: "status" });
  const element = html("span", { class: "preset" }, html("label", {}, words("preset"), " ", choice), note);

  function take(name) {
    for (const [input, value] of Object.entries(valuesOf(name))) if (!face.isLinked(input)) face.setValue(input, value);
    update();
  }

  function update() {
    const name = Object.keys(presets).find((one) => isTaken(face, valuesOf(one))) ?? CUSTOM;
    choice.value = name;
    choice.title = words(`${wordOf(name)}Help`);
    note.textContent = name === PUBLISHED || name === CUSTOM ? "" : lacks(name);
  }

  /** All inputs that a preset writes, of a choice that it makes its own settings only; what the node lacks is passed over. */
  function valuesOf(name) {
    const own = presets[name];
    const published = Object.entries(presets[PUBLISHED]).filter(([input]) => !(input.split(".")[0] in own));
    return { ...Object.fromEntries(published), ...own };
  }

  return { element, update };
}

/** @param {Face} face @param {Record<string, unknown>} values */
const isTaken = (face, values) =>
  Object.entries(values).every(([input, value]) => face.isLinked(input) || [undefined, value].includes(face.value(input)));
