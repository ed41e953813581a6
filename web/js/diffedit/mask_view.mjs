/**
 * The view of DiffEdit Mask and Heatmap to Mask: the picture under its heat map with the outline of the mask, and a histogram
 * whose line moves the input that decides it. What is shown is what the next run masks, as long as the heat map is the same.
 */
import { pager } from "../parts/controls.mjs";
import { html } from "../parts/markup.mjs";
import { PRESET_STYLE, presetControl } from "../parts/preset_control.mjs";
import { showRemedies } from "../parts/remedy_buttons.mjs";
import { axisOf } from "./mask_axis.mjs";
import { drawMask, heatPixels } from "./mask_drawing.mjs";
import { MaskLine } from "./mask_line.mjs";
import { cellsOfRule, touchedUp } from "./mask_rules.mjs";
import { settingsOf, staleInputs } from "./mask_settings.mjs";
import { STYLE } from "./mask_style.mjs";
import { PRESETS } from "./presets.mjs";
import { problemOf, remediesOf } from "./remedies.mjs";
import { shotsOf } from "./shots.mjs";
import { isOf, parseStrokes } from "./strokes.mjs";
import { areAlike, thumbnailOf } from "./thumbnail.mjs";
import { TOUCH_UP_STYLE, TouchUp } from "./touch_up.mjs";

const MIN_HEIGHT = 178; // with it the node still fits on a small screen; who enlarges the node gets a larger picture
const GONE = "mask.gone"; // what is said where the files cannot be had
const RESULT = "result"; // properties of the node
const OPACITY = "opacity";
const DRAWN_ON = "drawn_on"; // by the number of a picture, its thumbnail when strokes were drawn on it
const FINE = 1.5; // pixels of a canvas to one of the page, at least: ComfyUI zooms without telling
const MOST = 4096; // pixels along a side of a canvas, which a large node that is looked at closely would exceed

// By the result that they show, views with a tool in hand: undo replaces their nodes by others, which go on there.
const left = new Map();

/** @param {Face} face @returns {View} */
export function create(face) {
  const view = new MaskView(face);
  return { element: view.element, minHeight: MIN_HEIGHT, destroy: () => view.destroy() };
}

class MaskView {
  /** @type {ReturnType<typeof axisOf>} of what is shown, from the first `update` on */
  axis;
  /** @type {number} percent of what is shown */
  covered;
  /** @type {ReturnType<typeof pager>} */
  picturePager;
  /** @type {ReturnType<typeof pager>} */
  framePager;
  /** @type {MaskLine} */
  line;
  /** @type {ReturnType<typeof presetControl>} */
  preset;
  /** @type {TouchUp} */
  touchUp;
  /** The cells that are shown; undefined if none are. @type {Uint8Array | undefined} */
  cells;
  /** What was last calculated, by its name. @type {Map<string, {key: string, value: any}>} */
  known = new Map();

  /** @param {Face} face */
  constructor(face) {
    this.face = face;
    /** @type {import("./shots.mjs").Shot[]} */
    this.shots = [];
    this.place = { shot: 0, frame: 0, pair: 0 };
    this.hint = "mask.empty";
    this.buildElements();
    this.resizing = new ResizeObserver(() => this.refresh());
    this.resizing.observe(this.element);
    face.onChange(() => {
      this.restore();
      this.refresh();
    });
    face.onSetting("MaskOpacity", () => this.refresh());
    face.onResult(({ heatmap, picture }, isNew) => this.take({ heatmap, picture }, isNew));
    face.onPreview((picture) => this.showLive(picture));
    face.onProgress((progress) => this.showProgress(progress));
    this.restore();
    this.refresh();
  }

  destroy() {
    this.destroyed = true;
    this.resizing.disconnect();
  }

  buildElements() {
    const { face } = this;
    this.canvas = html("canvas", { role: "img" });
    this.message = html("p", { class: "hint" });
    this.live = html("img", { class: "live", alt: "", hidden: "" });
    this.progress = html("span", { class: "progress", hidden: "" });
    this.coverage = html("span", { class: "coverage" });
    this.picturePager = pager((by) => this.turn("shot", by));
    this.framePager = pager((by) => this.turn("frame", by));
    this.pairs = html("select", { "aria-label": face.text("mask.pairs"), onchange: () => this.choosePair() });
    this.opacity = html("input", {
      type: "range",
      min: 0,
      max: 100,
      step: 5,
      title: face.text("mask.opacity"),
      "aria-label": face.text("mask.opacity"),
      oninput: () => this.refresh(),
      onchange: () => face.setProperty(OPACITY, Number(this.opacity.value)),
    });
    this.preset = presetControl(face, PRESETS, "mask", () => (face.isLinked("picture") ? "" : face.text("mask.noPicture")));
    this.scene = html(
      "div",
      { class: "scene" },
      this.canvas,
      this.message,
      this.live,
      this.progress,
      this.preset.element,
      this.opacity,
    );
    this.touchUp = new TouchUp(face, this.scene, this.canvas, () => this.ground(), {
      refresh: () => this.refresh(),
      drawn: ({ picture }) => this.rememberPicture(picture),
      undone: (stroke) => this.turnTo(stroke),
    });
    this.line = new MaskLine(
      face,
      () => this.shots[this.place.shot] && settingsOf(face, this.shots[this.place.shot].heatmap),
      () => this.refresh(),
    );
    this.note = html("p", { class: "note", role: "status" });
    this.body = html(
      "div",
      { class: "view" },
      this.scene,
      html(
        "div",
        { class: "row" },
        this.coverage,
        this.line.caption,
        this.picturePager.element,
        this.framePager.element,
        this.pairs,
      ),
      this.line.element,
      this.note,
    );
    this.element = html("div", { class: "time-diffedit-mask", style: "width: 100%; height: 100%" });
    const shadow = this.element.attachShadow({ mode: "open" });
    shadow.append(html("style", {}, STYLE + PRESET_STYLE + TOUCH_UP_STYLE), this.body);
  }

  /** The heat map so far, while the node runs. */
  showLive(picture) {
    this.live.hidden = !picture;
    if (picture) this.live.src = picture;
  }

  /** How many of the maps are made, while the node runs. */
  showProgress(progress) {
    this.progress.hidden = !progress;
    if (progress) {
      const { value, max } = progress;
      this.progress.textContent = value ? this.face.text("mask.map", { number: value, count: max }) : this.face.text("mask.running");
    }
    this.scene.classList.toggle("running", Boolean(progress));
  }

  /**
   * After a run, or when the host gives back what a run gave. Only the first is written down: the host gives it back after
   * undo, too, and a node that undo has put back must stay as it is, or there would be nothing left to redo.
   */
  take({ heatmap, picture }, isNew) {
    if (!heatmap?.length) return;
    this.showLive(undefined);
    const result = { heatmap, picture: picture ?? [] };
    const isKnown = JSON.stringify(result) === JSON.stringify(this.face.property(RESULT));
    if (isNew && !isKnown) this.face.setProperty(RESULT, result);
    if (this.hint === GONE) this.loading = undefined; // the server may have it by now
    this.load(result);
  }

  /** What an earlier run left, if the server still has it. */
  restore() {
    const result = this.face.property(RESULT);
    if (result && !this.loading) this.load(result);
  }

  async load(result) {
    const wanted = JSON.stringify(result);
    if (this.loading === wanted) return;
    left.delete(this.loading);
    this.loading = wanted;
    const shots = await shotsOf(result, this.face, () => this.refresh()).catch(() => undefined);
    if (this.destroyed || this.loading !== wanted) return;
    this.hint = shots ? "" : GONE;
    this.shots = shots ?? [];
    this.known.clear();
    const before = left.get(wanted);
    if (before) {
      this.place = { ...before.place };
      this.touchUp.goOn(before);
    }
    this.refresh();
  }

  /** Draw anew before the next frame. */
  refresh() {
    if (this.pending || this.destroyed) return;
    this.pending = requestAnimationFrame(() => {
      this.pending = undefined;
      if (!this.destroyed) this.update();
    });
  }

  update() {
    this.preset.update();
    const filled = this.shots.length > 0;
    this.body.classList.toggle("empty", !filled);
    this.message.textContent = filled ? "" : this.face.text(this.hint || "mask.empty");
    this.element.shown = undefined;
    this.cells = undefined;
    if (!filled) return;
    this.place.shot = Math.min(this.place.shot, this.shots.length - 1);
    const { heatmap, picture } = this.shots[this.place.shot];
    this.place.frame = Math.min(this.place.frame, heatmap.frames - 1);
    this.place.pair = Math.min(this.place.pair, heatmap.pairs - 1);
    const settings = settingsOf(this.face, heatmap);
    const { strokes: text, ...others } = settings;
    const strokes = parseStrokes(text);
    const rest = JSON.stringify([this.place.shot, others]);
    const axis = () => axisOf(heatmap, this.place.pair, picture, settings);
    this.axis = this.once("axis", `${this.place.pair} ${rest}`, axis);
    const ofRule = this.once("rule", rest, () => cellsOfRule(heatmap, picture, settings));
    const drawn = () => touchedUp(ofRule, heatmap, picture, strokes ?? []);
    const before = this.once("strokes", `${text} ${rest}`, drawn);
    const { stroke } = this.touchUp;
    const cells = stroke ? touchedUp(before, heatmap, picture, [stroke]) : before;
    this.cells = cells;
    this.covered = (100 * cells.reduce((sum, cell) => sum + cell, 0)) / cells.length;
    this.showScene(heatmap, cells);
    this.touchUp.update();
    this.showRow(heatmap);
    this.line.update(this.axis, heatmap.colours, this.coverage.textContent ?? "", (canvas) => this.resize(canvas));
    this.showNote(heatmap, strokes);
    const remedies = () => remediesOf(this, heatmap, settings.rule, ofRule);
    const problem = problemOf(this.covered);
    showRemedies(this.note, this.face, this.once("remedies", `${problem} ${this.place.pair} ${rest}`, remedies));
    if (this.touchUp.tool) left.set(this.loading, { ...this.touchUp.state, place: { ...this.place } });
    else left.delete(this.loading);
    /** For whoever wants to know which cells are shown as masked: those of the picture, all its frames. */
    this.element.shown = { ...this.place, width: heatmap.width, height: heatmap.height, cells, covered: this.covered };
  }

  /** A value that takes long to calculate, again only for another key. */
  once(name, key, calculate) {
    if (this.known.get(name)?.key !== key) this.known.set(name, { key, value: calculate() });
    return this.known.get(name)?.value;
  }

  /** What a stroke is drawn on. */
  ground() {
    const { cells } = this;
    if (!cells) return undefined;
    const { heatmap, picture } = this.shots[this.place.shot];
    const { width, height, frames } = heatmap;
    const { frame } = this.place;
    return { picture, frame, frames, width, height, cells: ofFrame(cells, frame, heatmap) };
  }

  /** The picture that is shown, once it is there. */
  get image() {
    const image = this.shots[this.place.shot].images[this.place.frame];
    return image?.complete && image.naturalWidth > 0 ? image : null;
  }

  /** Keeps what strokes are drawn on, to tell when they come to lie on another picture. */
  rememberPicture(picture) {
    const { image } = this;
    if (!image) return;
    const known = this.face.property(DRAWN_ON) ?? {};
    const key = `${picture}.${this.place.frame}`;
    if (!areAlike(known[key], thumbnailOf(image))) this.face.setProperty(DRAWN_ON, { ...known, [key]: thumbnailOf(image) });
  }

  /** Whether the picture that is shown is another than the one that was drawn on. */
  isElsewhere(picture) {
    const before = this.face.property(DRAWN_ON)?.[`${picture}.${this.place.frame}`];
    return Boolean(before && this.image && !areAlike(before, thumbnailOf(this.image)));
  }

  /** Shows the picture that a stroke is of. */
  turnTo({ picture, frame }) {
    const here = this.shots[this.place.shot]?.picture === picture;
    if (!here) this.place.shot = Math.max(0, this.shots.findIndex((shot) => shot.picture === picture));
    this.place.frame = frame ?? this.place.frame;
  }

  showScene(heatmap, cells) {
    const { width, height, frames, colours } = heatmap;
    const picture = this.image;
    const scale = Math.min(this.scene.clientWidth / width, this.scene.clientHeight / height);
    this.canvas.style.width = `${width * scale}px`;
    this.canvas.style.height = `${height * scale}px`;
    const pixels = this.resize(this.canvas);
    const { frame: shown } = this.place;
    const heat = heatPixels(ofFrame(this.axis.seen, shown, heatmap), width, height, colours, picture !== null);
    drawMask(this.canvas, { width, height }, picture, heat, this.heatOpacity(picture), ofFrame(cells, shown, heatmap), pixels);
    const place = this.face.text("mask.picture", { number: this.place.shot + 1, count: this.shots.length });
    const frame = frames > 1 ? this.face.text("mask.frame", { number: this.place.frame + 1, count: frames }) : "";
    this.canvas.setAttribute("aria-label", [this.face.text("mask.image"), place, frame].filter(Boolean).join(", "));
  }

  heatOpacity(picture) {
    const own = this.face.property(OPACITY) ?? this.face.setting("MaskOpacity") ?? 60;
    const dragged = this.element.shadowRoot.activeElement === this.opacity;
    if (!dragged) this.opacity.value = own;
    this.opacity.hidden = !picture;
    return picture ? Number(this.opacity.value) / 100 : 1;
  }

  showRow({ frames, pairs }) {
    const { text } = this.face;
    this.coverage.textContent = text("mask.covered", { percent: this.covered.toFixed(1) });
    this.element.dataset.covered = this.covered;
    const pages = (name, number, count) => ({
      number,
      count,
      label: text(`mask.${name}`, { number, count }),
      previous: text(`mask.${name}Before`),
      next: text(`mask.${name}After`),
    });
    this.picturePager.update(pages("picture", this.place.shot + 1, this.shots.length));
    this.framePager.update(pages("frame", this.place.frame + 1, frames));
    this.pairs.hidden = pairs < 2;
    if (this.pairs.length !== pairs) {
      const options = Array.from({ length: pairs }, (_, i) => html("option", {}, text("mask.pair", { number: i + 1 })));
      this.pairs.replaceChildren(...options);
    }
    this.pairs.selectedIndex = this.place.pair;
  }

  /** What is to be known of the mask that is shown. */
  showNote(heatmap, strokes) {
    const { text } = this.face;
    const stale = staleInputs(this.face, heatmap).map((name) => this.face.label(name));
    const { picture } = this.shots[this.place.shot];
    const problem = problemOf(this.covered);
    const here = strokes?.filter((stroke) => isOf(stroke, picture, this.place.frame)).length ?? 0;
    const isElsewhere = here > 0 && this.isElsewhere(picture);
    this.note.classList.toggle("warning", problem !== "" || isElsewhere || !strokes);
    this.note.textContent = [
      problem && text(`mask.${problem}`),
      here > 0 && text(`mask.touch.${here === 1 ? "one" : "count"}`, { count: here }),
      isElsewhere && text("mask.touch.elsewhere"),
      !strokes && text("mask.touch.unreadable"),
      heatmap.unfocused && text(`mask.unfocused.${heatmap.unfocused}`),
      stale.length > 0 && text("mask.stale", { inputs: stale.join(", ") }),
    ].filter(Boolean).join(" ");
  }

  /** Gives a canvas the pixels of its place on the screen; how many there are to one of the page. */
  resize(canvas) {
    const zoom = canvas.getBoundingClientRect().width / (canvas.offsetWidth || 1) || 1;
    const sides = [canvas.offsetWidth, canvas.offsetHeight];
    const pixels = Math.min(Math.max(FINE, zoom * devicePixelRatio), MOST / Math.max(1, ...sides));
    const [width, height] = sides.map((size) => Math.max(1, Math.round(size * pixels)));
    if (canvas.width !== width) canvas.width = width;
    if (canvas.height !== height) canvas.height = height;
    return pixels;
  }

  turn(what, by) {
    this.place[what] = Math.max(0, this.place[what] + by);
    this.refresh();
  }

  choosePair() {
    this.place.pair = this.pairs.selectedIndex;
    this.refresh();
  }
}

function ofFrame(values, frame, { width, height }) {
  return values.subarray(frame * width * height, (frame + 1) * width * height);
}
