/** Buttons that write the input which remedies what a view found, so that what one sees is what runs. */
import { html } from "./markup.mjs";

export const REMEDY_STYLE = `
  .remedies { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 8px; }
  .remedies:empty { display: none; }
  .remedies button { font: inherit; color: inherit; background: var(--comfy-menu-bg, #353535); cursor: pointer; text-align: start;
    border: 1px solid var(--border-color, #4e4e4e); border-radius: 4px; margin: 0; padding: 0 7px; min-height: 20px; height: auto; }
`;

/**
 * @typedef {object} Remedy
 * @property {string} label of the button.
 * @property {string} widget the input that it writes.
 * @property {unknown} value
 * @property {string} [gives] what comes of it, beside the button.
 * @property {string} [help] more about that.
 */

/**
 * A row of buttons. A remedy whose input the node lacks, another node feeds, or has that value already, has none.
 *
 * @param {Face} face
 * @returns {{element: HTMLElement, update: (remedies: Remedy[]) => void}}
 */
export function remedyButtons(face) {
  const element = html("div", { class: "remedies", tabindex: -1 });
  let shown = "";

  function update(remedies) {
    const open = remedies.filter(({ widget, value }) => {
      const own = face.value(widget);
      return own !== undefined && own !== value && !face.isLinked(widget);
    });
    const now = JSON.stringify(open);
    if (now === shown) return; // a button that is drawn anew would lose the focus
    shown = now;
    const had = element.querySelector(":focus") !== null;
    element.replaceChildren(...open.flatMap(buttonOf));
    if (had) element.focus(); // else the next Tab would begin at the top of the page
  }

  function buttonOf({ label, widget, value, gives, help }) {
    const button = html("button", { type: "button", onclick: () => face.setValue(widget, value) }, label);
    return [button, gives && html("span", { class: "quiet", title: help }, gives)].filter(Boolean);
  }

  return { element, update };
}

const rows = new WeakMap();

/**
 * The same, below an element of a view that makes no place for it.
 *
 * @param {HTMLElement} above
 * @param {Face} face
 * @param {Remedy[]} remedies
 */
export function showRemedies(above, face, remedies) {
  const row = rows.get(above) ?? remedyButtons(face);
  if (!rows.has(above)) {
    rows.set(above, row);
    above.after(html("style", {}, REMEDY_STYLE), row.element);
  }
  row.update(remedies);
}
