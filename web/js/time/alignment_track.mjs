/** One text encoder's tokens of a pair of prompts as two rows with lines. */
import { html, svg, WARNING } from "../parts/markup.mjs";
import { CHIP_HEIGHT, layOut, ROW_DISTANCE, tokensOf } from "./token_layout.mjs";

const FONT = "12px sans-serif";
const SIGNS = { added: "+ ", dropped: "− " };
const NAMES = { l: "CLIP-L", g: "CLIP-G", h: "CLIP-H", t5xxl: "T5-XXL", t5base: "T5", pile_t5xl: "Pile-T5-XL" };
const PLAIN = { start: "", end: "", padding: String };
const RADIUS = { special: 10, padding: 10 };
export const TRACK_STYLE = `
  .tokens { display: flex; gap: 6px; }
  .rows { flex: none; display: flex; flex-direction: column; justify-content: space-between; height: ${ROW_DISTANCE + CHIP_HEIGHT + 2}px;
    margin: 2px 0; line-height: ${CHIP_HEIGHT + 2}px; max-width: 40%; white-space: nowrap; }
  .track { flex: 1; min-width: 0; overflow-x: auto; overflow-y: hidden; scrollbar-width: thin; margin: 2px 0; }
  .track svg { display: block; }
  .track text { font: ${FONT}; fill: var(--input-text, #ddd); }
  .chip rect { fill: var(--comfy-menu-bg, #353535); stroke: var(--border-color, #666); }
  .chip.added rect { stroke: #2b9a66; stroke-width: 2; }
  .chip.dropped rect { stroke: ${WARNING}; stroke-width: 2; stroke-dasharray: 4 2; }
  .chip.dropped text { text-decoration: line-through; }
  .chip.special rect, .chip.padding rect { fill: none; }
  .chip.padding rect { stroke-dasharray: 1 3; }
  .chip.special text, .chip.padding text, .chip.apart text { fill: var(--descrip-text, #999); font-style: italic; }
  .line { stroke: var(--descrip-text, #999); stroke-width: 1.5; fill: none; }
  .line.special, .line.padding { stroke-width: 1; stroke-dasharray: 2 3; }
  .legend { display: flex; flex-wrap: wrap; gap: 0 10px; }
`;

let pen; // measures texts; never shown

function measure(text) {
  pen ??= document.createElement("canvas").getContext("2d");
  pen.font = FONT;
  return pen.measureText(text).width;
}

/**
 * @param {Track} track of the route's answer or of a run's report.
 * @param {Placing} settings of the edit.
 * @param {Words} words
 * @param {boolean} named whether to say which encoder it is.
 */
export function drawTrack(track, settings, words, named) {
  const tokens = tokensOf(track, settings, {
    start: words("start"),
    end: words("end"),
    padding: (count) => words("padding", { count }),
  });
  const shown = ({ kind, text }) => (SIGNS[kind] ?? "") + text;
  const { width, height, chips, lines } = layOut(tokens, (token) => measure(shown(token)));
  const name = NAMES[track.encoder] ?? track.encoder;
  const drawing = svg(
    "svg",
    { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": inWords(tokens, name, words) },
    ...lines.map(({ from, to, kind }) => svg("path", { class: `line ${kind}`, d: `M${from}L${to}` })),
    ...chips.map((chip) => drawChip(chip, shown(chip.token))),
  );
  const label = words("tokensOf", { name });
  const scroller = html("div", { class: "track", tabindex: 0, role: "group", "aria-label": label }, drawing);
  const names = ["source", "destination"].map((row) => html("span", {}, words(row)));
  const rows = html("div", { class: "rows quiet", "aria-hidden": "true" }, names); // the drawing's own label says it
  return html("div", {}, named && html("div", { class: "quiet" }, name), html("div", { class: "tokens" }, rows, scroller));
}

function drawChip({ row, x, y, width, token }, text) {
  const box = { x, y, width, height: CHIP_HEIGHT, rx: RADIUS[token.kind] ?? 3 };
  const middle = { x: x + width / 2, y: y + CHIP_HEIGHT / 2 + 4, "text-anchor": "middle" };
  const place = row ? "destination" : "source";
  return svg("g", { class: `chip ${token.kind} ${place}` }, svg("rect", box), svg("text", middle, text));
}

/** What the signs of some tracks mean, for those that occur. */
export function legend(tracks, settings, words) {
  const all = tracks.map((track) => tokensOf(track, settings, PLAIN));
  const kinds = new Set(all.flatMap(({ source, destination }) => [...source, ...destination]).map((token) => token.kind));
  const entries = ["added", "dropped", "apart"].filter((kind) => kinds.has(kind));
  return html("div", { class: "legend quiet" }, entries.map((kind) => html("span", {}, words(`${kind}Legend`))));
}

function inWords({ source, destination }, name, words) {
  const list = (row, kinds) => {
    const texts = row.filter((token) => kinds.includes(token.kind)).map((token) => token.text);
    return texts.join(" ") || "–";
  };
  const every = ["same", "added", "dropped", "apart"];
  return words("spoken", {
    name,
    source: list(source, every),
    destination: list(destination, every),
    added: list(destination, ["added"]),
    dropped: list(source, ["dropped"]),
  });
}
