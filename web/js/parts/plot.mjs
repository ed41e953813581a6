/** A small line plot that can be read by pointer, keyboard and screen reader. */
import { scale } from "./axis.mjs";
import { html, short, svg } from "./markup.mjs";

const LEFT = 40;
const RIGHT = 10;
const BOTTOM = 16;
const TOP = 12; // room for the marks' labels
// Told apart by marker and dash as well as by colour; the colours can be read on dark and light.
const LOOKS = [
  { colour: "#3b8eea", dash: null, marker: "M-3,0a3,3 0 1,0 6,0a3,3 0 1,0 -6,0" },
  { colour: "#c9711c", dash: "6 3", marker: "M0,-4L4,3L-4,3Z" },
  { colour: "#2b9a66", dash: "2 2", marker: "M-3,-3H3V3H-3Z" },
  { colour: "#a05fd0", dash: "8 2 2 2", marker: "M0,-4L4,0L0,4L-4,0Z" },
];
export const PLOT_STYLE = `
  .plot { display: block; overflow: visible; touch-action: none; }
  .plot text { fill: var(--descrip-text, #999); font: 10px sans-serif; }
  .plot .axis { stroke: var(--border-color, #666); }
  .plot .cursor { stroke: var(--fg-color, #fff); }
  .plot.picks { cursor: pointer; }
  .names { display: flex; flex-wrap: wrap; gap: 0 10px; }
  .below { min-height: 1.35em; }
  .below.label { text-align: right; padding-right: ${RIGHT}px; }
`;

const lookOf = (line, i) => LOOKS[line.look ?? i];

/**
 * @typedef {{name: string, points: [number, number | null][], look?: number}} Series one line: `name` for the legend, `points`
 *   as [x, y]; a y of null leaves a gap; `look`, 0 to 3, where it is not to be that of its place.
 * @typedef {{label?: string, log?: boolean, decades?: number, zero?: boolean, also?: number[],
 *   format?: (value: number) => string}} Axis `label`, `log`, `decades`, `zero` and `also` as for `scale`, `format` of a tick.
 * @typedef {object} PlotOptions
 * @property {Series[]} series at most four.
 * @property {Axis} x
 * @property {Axis} y
 * @property {{x: number, label: string, faint?: boolean}[]} [marks] vertical lines.
 * @property {string} label what the plot shows, for screen readers.
 * @property {(x: number) => string} readout in words, what is found at one of the series' x.
 * @property {(x: number) => void} [pick] called for the x that is clicked, or chosen by Enter.
 */

/**
 * A plot of the given height that is as wide as its element.
 *
 * @returns {{element: HTMLElement, update: (options: PlotOptions) => void, destroy: () => void}}
 */
export function linePlot(height) {
  const drawing = svg("svg", { class: "plot", height, tabindex: 0, role: "slider" });
  const below = html("div", { "aria-hidden": "true" }); // the readout, else the label of the x axis
  const names = html("div", { class: "names quiet" });
  const table = html("table");
  const unseen = html("div", { class: "unseen" }, table); // a table by itself would be as high as its rows
  const element = html("div", { style: "position: relative; min-width: 0" }, names, drawing, below, unseen);
  /** @type {PlotOptions | null} */
  let options = null;
  /** @type {number[]} */
  let stops = []; // the x that can be read, ascending
  /** @type {number | null} */
  let at = null; // the one that is read, as a place in `stops`
  /** @type {(x: number) => number} */
  let placeX = () => 0;

  const observer = new ResizeObserver(draw);
  observer.observe(element);
  drawing.addEventListener("pointermove", (event) => read(nearest(event)));
  drawing.addEventListener("pointerleave", () => read(null));
  drawing.addEventListener("blur", () => read(null));
  drawing.addEventListener("click", (event) => choose(nearest(event)));
  drawing.addEventListener("keydown", onKey);

  function nearest(event) {
    const box = drawing.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * width();
    const distances = stops.map((stop) => Math.abs(placeX(stop) - x));
    return stops.length ? distances.indexOf(Math.min(...distances)) : null;
  }

  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return; // Ctrl+Enter runs the workflow
    const steps = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, Home: -Infinity, End: Infinity };
    if (event.key in steps && stops.length) {
      const from = at ?? (steps[event.key] > 0 ? -1 : stops.length);
      read(Math.min(Math.max(from + steps[event.key], 0), stops.length - 1));
    } else if (event.key === "Enter" || event.key === " ") choose(at);
    else if (event.key === "Escape") read(null);
    else return;
    event.preventDefault();
    event.stopPropagation(); // else the canvas takes the arrows for its own
  }

  function choose(place) {
    if (place !== null && options?.pick) options.pick(stops[place]);
  }

  function read(place) {
    at = place;
    draw();
  }

  function width() {
    return Math.max(element.clientWidth, 120);
  }

  function draw() {
    if (!options) return;
    const { series, x: across, y: up } = options;
    const [right, bottom] = [width() - RIGHT, height - BOTTOM];
    const points = series.flatMap((line) => line.points);
    const marks = options.marks ?? [];
    const x = scale([...points.map(([value]) => value), ...marks.map((mark) => mark.x)], across, [LEFT, right]);
    const y = scale(points.map(([, value]) => value), up, [bottom, TOP + 5]);
    placeX = x.place;
    const number = (axis) => axis.format ?? short;
    drawing.setAttribute("width", width());
    drawing.setAttribute("viewBox", `0 0 ${width()} ${height}`);
    drawing.classList.toggle("picks", Boolean(options.pick));
    drawing.replaceChildren(
      svg("path", { class: "axis", fill: "none", d: `M${LEFT},${TOP}V${bottom}H${right}` }),
      ...x.ticks.map((tick) => xTick(x.place(tick), bottom, number(across)(tick))),
      ...y.ticks.map((tick) => yTick(y.place(tick), number(up)(tick))),
      ...marks.flatMap((mark) => markLine(mark, x.place(mark.x), bottom, right)),
      ...series.flatMap((line, i) => drawn(line, lookOf(line, i), x.place, y.place)),
      ...(at === null ? [] : [svg("path", { class: "cursor", d: `M${x.place(stops[at])},${TOP}V${bottom}` })]),
    );
    const words = at === null ? "" : options.readout(stops[at]);
    below.textContent = words || (across.label ?? "");
    below.className = words ? "below" : "below label quiet";
    const said = { "aria-label": options.label, "aria-valuetext": words || options.label, "aria-valuemin": 0 };
    Object.assign(said, { "aria-valuemax": Math.max(stops.length - 1, 0), "aria-valuenow": at ?? 0 });
    for (const [name, value] of Object.entries(said)) drawing.setAttribute(name, value);
  }

  return {
    element,
    update(next) {
      options = next;
      stops = [...new Set(next.series.flatMap((line) => line.points.map(([x]) => x)))].sort((a, b) => a - b);
      if (at !== null && at >= stops.length) at = null;
      names.replaceChildren(...legend(next.series));
      table.replaceChildren(html("caption", {}, next.label), ...rows(next, stops));
      draw();
    },
    destroy: () => observer.disconnect(),
  };
}

function xTick(place, bottom, text) {
  const line = svg("path", { class: "axis", d: `M${place},${bottom}v3` });
  return svg("g", {}, line, svg("text", { x: place, y: bottom + 12, "text-anchor": "middle" }, text));
}

function yTick(place, text) {
  const line = svg("path", { class: "axis", d: `M${LEFT},${place}h-3` });
  return svg("g", {}, line, svg("text", { x: LEFT - 5, y: place + 3, "text-anchor": "end" }, text));
}

function legend(series) {
  return series.map((line, i) => {
    const { colour, dash, marker } = lookOf(line, i);
    const sample = svg(
      "svg",
      { width: 20, height: 8, viewBox: "0 -4 20 8", "aria-hidden": "true" },
      svg("path", { d: "M0,0H20", stroke: colour, "stroke-dasharray": dash }),
      svg("path", { d: marker, transform: "translate(10,0)", fill: colour }),
    );
    return html("span", {}, sample, ` ${line.name}`);
  });
}

function markLine(mark, place, bottom, right) {
  const opacity = mark.faint ? 0.5 : 1;
  const at = place > right - 60 ? { x: place - 3, "text-anchor": "end" } : { x: place + 3 };
  return [
    svg("path", { class: "cursor", opacity, "stroke-dasharray": mark.faint && "3 3", d: `M${place},${TOP}V${bottom}` }),
    svg("text", { ...at, y: TOP - 3, opacity }, mark.label),
  ];
}

function drawn(line, { colour, dash, marker }, placeX, placeY) {
  const places = line.points.map(([x, y]) => (y === null ? null : [placeX(x), placeY(y)]));
  const path = places.map((place, i) => (place ? `${i && places[i - 1] ? "L" : "M"}${place}` : "")).join("");
  const few = places.length <= 30;
  return [
    svg("path", { d: path, stroke: colour, "stroke-width": 1.5, "stroke-dasharray": dash, fill: "none" }),
    ...places
      .filter((place) => place && few)
      .map((place) => svg("path", { d: marker, transform: `translate(${place})`, fill: colour })),
  ];
}

function rows({ series, x }, stops) {
  const head = html("tr", {}, [x.label ?? "", ...series.map((line) => line.name)].map((name) => html("th", {}, name)));
  const values = series.map((line) => new Map(line.points));
  const row = (stop) => [stop, ...values.map((of) => of.get(stop))].map((value) => html("td", {}, short(value)));
  return [head, ...stops.map((stop) => html("tr", {}, row(stop)))];
}
