/**
 * Touching a mask up by hand: tools over the picture, whose strokes go into the input `strokes`. So they are saved, copied, undone
 * and run as every input is.
 */
import { html, svg } from "../parts/markup.mjs";
import { ADD, ERASE, PAINT, REMOVE, UNIT, cellAt, isOf, parseStrokes, textOf } from "./strokes.mjs";

export const STROKES = "strokes"; // the input
const AREA = "area"; // a tool that adds or removes, by what is under it
const TOOLS = [PAINT, ERASE, AREA];
const SIZE = { min: 50, max: 2500, step: 50, first: 400 }; // of the brush: ten-thousandths of the picture's longer side
const FINEST = UNIT / 400; // from one point of a stroke to the next, at least, so that its text stays short
const STEP = UNIT / 50; // of an arrow key

const PICTURES = {
  [PAINT]: "M10.5 1.5l2 2-7 7-2-2zM3 9.5c-1.5.5-1 2.5-2 3 1.5.5 3.5 0 4-1.5z",
  [ERASE]: "M5.5 12h7M8.5 2l4 4-5.5 6h-2.5l-3-3zM4.5 6l4 4",
  [AREA]: "M2 2h2M6 2h2M10 2h2v2M12 6v2M2 2v2M2 6v2M2 10v2h2M6 12h1M7 7l5.5 2-2.5 1-1 2.5z",
  undo: "M5 2L2 5l3 3M2 5h6.5a3.5 3.5 0 0 1 0 7H5",
  clear: "M2 3.5h10M5.5 3.5v-2h3v2M3.5 3.5l.5 9h6l.5-9",
  frames: "M2 5h7v7h-7zM4 5v-2h7v7h-2M6 3v-1.5h6.5v7h-1.5",
};

export const TOUCH_UP_STYLE = `
  .tools { position: absolute; left: 4px; top: 4px; bottom: 22px; display: grid; grid-auto-flow: column; gap: 2px; align-content: start;
    grid-template-rows: repeat(auto-fill, 20px); pointer-events: none; }
  .tools button { width: 20px; padding: 0; pointer-events: auto; display: grid; place-items: center; }
  .tools button[aria-pressed="true"] { color: var(--comfy-input-bg, #222); background: var(--input-text, #ddd); }
  .tools svg { width: 14px; height: 14px; fill: none; stroke: currentColor; stroke-width: 1.2; stroke-linejoin: round; }
  .scene > input.size { left: 4px; right: auto; }
  .touching canvas { cursor: crosshair; touch-action: none; user-select: none; }
  .touching.brush canvas { cursor: none; }
  .ring { position: absolute; box-sizing: border-box; border: 1px solid #fff; outline: 1px solid rgba(0, 0, 0, 0.7); border-radius: 50%;
    translate: -50% -50%; pointer-events: none; }
  .drawing > :is(.tools, .preset, input) { opacity: 0.2; pointer-events: none; }
  .empty :is(.tools, .ring) { display: none; }
  .running > :is(.tools, .size) { visibility: hidden; }
`;

/**
 * What is drawn on: a frame of the picture that is shown.
 *
 * @typedef {{picture: number, frame: number, frames: number, width: number, height: number, cells: Uint8Array}} Ground
 * @typedef {import("./strokes.mjs").Stroke} Stroke
 */

export class TouchUp {
  /** @type {string} one of TOOLS, or "" */
  tool = "";
  /** @type {Stroke | undefined} that is being drawn */
  stroke;
  allFrames = false;
  /** Of the brush, while it is over the picture or moved by keys. @type {[number, number] | undefined} */
  at;

  /**
   * @param {Face} face
   * @param {HTMLElement} scene which the tools lie over
   * @param {HTMLCanvasElement} canvas the picture
   * @param {() => Ground | undefined} ground
   * @param {{refresh: () => void, drawn: (stroke: Stroke) => void, undone: (stroke: Stroke) => void}} on refresh: what is
   *   shown has changed; drawn, undone: before the input changes
   */
  constructor(face, scene, canvas, ground, on) {
    this.face = face;
    this.scene = scene;
    this.canvas = canvas;
    this.ground = ground;
    this.on = on;
    /** Where the pointer was last, while it draws. @type {[number, number] | undefined} */
    this.last = undefined;
    this.buttons = Object.fromEntries(Object.keys(PICTURES).map((name) => [name, this.button(name)]));
    const tools = html("div", { class: "tools", role: "toolbar", "aria-label": this.words("tools") }, Object.values(this.buttons));
    this.size = html("input", {
      class: "size",
      type: "range",
      ...SIZE,
      value: SIZE.first,
      title: this.words("size"),
      "aria-label": this.words("size"),
      oninput: () => this.update(),
    });
    this.ring = html("div", { class: "ring" });
    scene.append(tools, this.size, this.ring);
    canvas.addEventListener("pointerdown", (event) => this.begin(event));
    // Not of the pointer's event, without which there would be no mouseup, after which ComfyUI looks for changes to undo.
    canvas.addEventListener("mousedown", (event) => this.tool && event.preventDefault());
    canvas.addEventListener("pointermove", (event) => this.follow(event));
    canvas.addEventListener("pointerup", () => this.end());
    canvas.addEventListener("pointercancel", () => this.end(false));
    canvas.addEventListener("pointerleave", () => this.moveTo(undefined));
    canvas.addEventListener("blur", () => this.moveTo(undefined));
    canvas.addEventListener("keydown", (event) => this.press(event));
  }

  /** The text of the input, which is undefined before this node has it. */
  get text() {
    return this.face.value(STROKES) ?? "";
  }

  button(name) {
    const act = () => this.choose(name);
    return html(
      "button",
      {
        type: "button",
        title: this.words(name),
        "aria-label": this.words(name),
        // A pointer's click comes after its mouseup, after which ComfyUI looks for changes to undo and to keep.
        onpointerup: (event) => event.button === 0 && act(),
        onclick: (event) => event.detail === 0 && act(),
      },
      svg("svg", { viewBox: "0 0 14 14", "aria-hidden": "true" }, svg("path", { d: PICTURES[name] })),
    );
  }

  words(key, values = {}) {
    return this.face.text(`mask.touch.${key}`, values);
  }

  choose(name) {
    if (this.buttons[name].disabled) return;
    if (name === "undo") this.undo();
    else if (name === "clear") this.face.setValue(STROKES, "");
    else if (name === "frames") this.allFrames = !this.allFrames;
    else this.tool = this.tool === name ? "" : name;
    this.at = undefined;
    this.on.refresh();
  }

  /** Shows the state of the tools; to be called after what is shown has changed. */
  update() {
    const strokes = parseStrokes(this.text);
    const linked = this.face.isLinked(STROKES);
    if (linked || !strokes) this.tool = "";
    const { undo, clear, frames } = this.buttons;
    for (const name of TOOLS) {
      const button = this.buttons[name];
      button.disabled = linked || !strokes;
      button.title = linked ? this.words("linked") : this.words(name);
      button.setAttribute("aria-pressed", String(this.tool === name));
    }
    undo.hidden = linked || !strokes?.length;
    clear.hidden = linked || this.text === "";
    frames.hidden = !this.tool || (this.ground()?.frames ?? 1) < 2;
    frames.setAttribute("aria-pressed", String(this.allFrames));
    this.size.hidden = !this.isBrush;
    this.scene.classList.toggle("touching", this.tool !== "");
    this.scene.classList.toggle("brush", this.isBrush);
    this.scene.classList.toggle("drawing", this.stroke !== undefined);
    this.showCanvas();
    this.showRing();
  }

  /** For `goOn` of another. */
  get state() {
    return { tool: this.tool, size: this.size.value, allFrames: this.allFrames };
  }

  /** @param {{tool: string, size: string, allFrames: boolean}} state */
  goOn({ tool, size, allFrames }) {
    this.tool = tool;
    this.size.value = size;
    this.allFrames = allFrames;
  }

  get isBrush() {
    return this.tool === PAINT || this.tool === ERASE;
  }

  get radius() {
    return Number(this.size.value);
  }

  showCanvas() {
    this.canvas.setAttribute("role", this.tool ? "application" : "img");
    if (this.tool) {
      this.canvas.tabIndex = 0;
      const label = this.canvas.getAttribute("aria-label");
      this.canvas.setAttribute("aria-label", `${label}. ${this.words("keys")}`);
    } else this.canvas.removeAttribute("tabindex");
  }

  showRing() {
    const { at, canvas, ring } = this;
    ring.hidden = !at || !this.tool;
    if (!at) return;
    const [width, height] = [canvas.offsetWidth, canvas.offsetHeight];
    const across = this.isBrush ? Math.max(4, (2 * this.radius * Math.max(width, height)) / UNIT) : 6;
    ring.style.width = ring.style.height = `${across}px`;
    ring.style.left = `${canvas.offsetLeft + (at[0] * width) / UNIT}px`;
    ring.style.top = `${canvas.offsetTop + (at[1] * height) / UNIT}px`;
  }

  moveTo(at) {
    this.at = at;
    this.showRing();
  }

  /** Where in the picture, 0 .. UNIT. @returns {[number, number]} */
  pointOf({ clientX, clientY }) {
    const { left, top, width, height } = this.canvas.getBoundingClientRect();
    const within = (share) => Math.round(UNIT * Math.min(1, Math.max(0, share)));
    return [within((clientX - left) / width), within((clientY - top) / height)];
  }

  begin(event) {
    if (!this.tool || event.button !== 0) return;
    event.stopPropagation();
    this.canvas.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    this.use(this.pointOf(event));
  }

  /** The tool at a point: an area at once, a brush until `end`; `goesOn` in a straight line from where the last stroke ended. */
  use(point, goesOn = false) {
    const ground = this.ground();
    if (!ground) return;
    const { picture, frame, frames, cells, width, height } = ground;
    const kind = this.tool === AREA ? (cells[cellAt(point, height, width)] ? REMOVE : ADD) : this.tool;
    const ofFrame = frames > 1 && !this.allFrames ? frame : undefined;
    const before = parseStrokes(this.text)?.at(-1);
    const from = goesOn && this.isBrush && before && isOf(before, picture, frame) ? before.points.slice(-1) : [];
    const stroke = { kind, picture, frame: ofFrame, radius: this.isBrush ? this.radius : 0, points: [...from, point] };
    if (this.isBrush) this.stroke = stroke;
    else this.add(stroke);
    this.moveTo(point);
    this.on.refresh();
  }

  follow(event) {
    if (!this.tool) return;
    const point = this.pointOf(event);
    this.moveTo(point);
    if (!this.stroke) return;
    this.last = point;
    if (this.distance(point) < Math.max(FINEST, this.stroke.radius / 4)) return;
    this.stroke.points.push(point);
    this.on.refresh();
  }

  /** From the end of the stroke, in ten-thousandths of the longer side. */
  distance([x, y]) {
    const { canvas } = this;
    const stroke = /** @type {Stroke} */ (this.stroke);
    const [[endX, endY]] = stroke.points.slice(-1);
    const longer = Math.max(canvas.offsetWidth, canvas.offsetHeight);
    return Math.hypot(((x - endX) * canvas.offsetWidth) / longer, ((y - endY) * canvas.offsetHeight) / longer);
  }

  end(isKept = true) {
    const { stroke, last } = this;
    if (!stroke) return;
    if (last && this.distance(last) > 0) stroke.points.push(last);
    this.stroke = this.last = undefined;
    if (isKept) this.add(stroke);
    this.on.refresh();
  }

  add(stroke) {
    this.on.drawn(stroke);
    this.face.setValue(STROKES, [this.text, textOf([stroke])].filter((text) => text.trim()).join("; "));
  }

  undo() {
    const strokes = parseStrokes(this.text) ?? [];
    const last = strokes.pop();
    if (last) this.on.undone(last);
    this.face.setValue(STROKES, textOf(strokes));
  }

  press(event) {
    if (!this.tool || event.ctrlKey || event.metaKey || event.altKey) return;
    const step = event.shiftKey ? STEP / 4 : STEP;
    /** @type {Record<string, [number, number] | undefined>} */
    const ways = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    const way = ways[event.key];
    const at = this.at ?? [UNIT / 2, UNIT / 2];
    if (way) this.moveTo(at.map((place, i) => Math.min(UNIT, Math.max(0, place + way[i]))));
    else if (event.key === "Enter" || event.key === " ") {
      this.use(at, event.shiftKey);
      this.end();
    } else if (event.key === "Escape") {
      this.buttons[this.tool].focus();
      this.choose(this.tool);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
