/** HTML and SVG from code, and what the plots and texts of the views share. */

const SVG = "http://www.w3.org/2000/svg";

/** An HTML element with attributes, `on…` listeners and children: nodes or texts; what is null, undefined or false is left out. */
export const html = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);

export const svg = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

const isThere = (value) => value !== null && value !== undefined && value !== false;

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (isThere(value)) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter(isThere));
  return element;
}

/** A number in three digits, as people write it: 0.0123, 120, 1.2e-5. */
export function short(value) {
  if (!Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e5 || size < 1e-3) return value.toExponential(1).replace("e+", "e").replace(".0e", "e");
  return String(Number(value.toPrecision(3)));
}

/** Colours that can be read on dark and light, as the theme has none for them. */
export const WARNING = "#c9711c";
export const GOOD = "#3f9142";
export const POOR = "#d64545";

/** The colours are those of ComfyUI's theme. */
export const COMMON_STYLE = `
  .root { box-sizing: border-box; width: 100%; height: 100%; overflow: auto; padding: 4px 6px; position: relative;
    color: var(--input-text, #ddd); font: 12px/1.35 sans-serif; user-select: text;
    background: var(--comfy-input-bg, #222); border: 1px solid var(--border-color, #4e4e4e); border-radius: 4px; }
  .quiet { color: var(--descrip-text, #999); }
  .error { color: var(--error-text, #ff4444); }
  .warning { border-left: 3px solid ${WARNING}; padding-left: 5px; }
  .unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
  p { margin: 2px 0; }
  :focus-visible { outline: 2px solid var(--fg-color, #fff); outline-offset: -2px; }
  [hidden] { display: none !important; }
`;
