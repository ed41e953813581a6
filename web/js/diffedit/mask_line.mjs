/** The histogram of the heat under the picture, and the line in it that moves the input which decides where the mask begins. */
import { draggableLine } from "../parts/controls.mjs";
import { html } from "../parts/markup.mjs";
import { drawHistogram } from "./histogram.mjs";
import { SETTINGS, kept, settingOf } from "./mask_axis.mjs";
import { inputOf } from "./mask_settings.mjs";

/** @typedef {ReturnType<typeof import("./mask_axis.mjs").axisOf>} Axis */

export class MaskLine {
  /** @type {Axis} of what is shown, from the first `update` on */
  axis;

  /**
   * @param {Face} face
   * @param {() => Record<string, any> | undefined} settings what the next run reads; undefined while nothing is shown
   * @param {() => void} moved the input has another value
   */
  constructor(face, settings, moved) {
    this.face = face;
    this.settings = settings;
    this.moved = moved;
    this.bars = html("canvas", { "aria-hidden": "true" });
    this.element = html("div", { class: "track" }, this.bars);
    this.caption = html("span", { class: "caption" });
    this.line = draggableLine(
      this.element,
      (place) => this.moveTo(place),
      (steps, sideways) => this.stepBy(steps, sideways),
    );
  }

  /**
   * @param {Axis} axis
   * @param {Uint8Array} colours of the heat map, red, green and blue from the coldest on
   * @param {string} covered how much is masked, in words
   * @param {(canvas: HTMLCanvasElement) => number} sized gives a canvas its pixels, and tells how many to one of the page
   */
  update(axis, colours, covered, sized) {
    this.axis = axis;
    const { face } = this;
    const settings = this.settings() ?? {};
    const setting = settingOf(settings.rule);
    const linked = setting !== undefined && face.isLinked(inputOf(setting));
    const value = setting === undefined ? axis.line : settings[setting];
    const { decimals, min, max } = setting === undefined ? { decimals: 2, min: 0, max: 1 } : SETTINGS[setting];
    const label = face.text(`mask.${setting ?? "otsu"}`, { value: value.toFixed(decimals) });
    this.line.update({
      place: axis.line,
      label: face.text(`mask.name.${setting ?? "otsu"}`),
      now: value,
      min,
      max,
      text: `${label}, ${covered}`,
      isMovable: setting !== undefined && !linked,
    });
    this.caption.textContent = linked ? face.text("mask.linked", { setting: label }) : label;
    const inks = inksOf(getComputedStyle(this.element));
    drawHistogram(this.bars, sized(this.bars), axis.places, axis.line, inks, (place) => {
      const hottest = colours.length / 3 - 1;
      const first = 3 * Math.round(axis.heatAt(place) * hottest);
      return `rgb(${colours.subarray(first, first + 3).join(" ")})`;
    });
  }

  moveTo(place) {
    this.set((setting) => kept(setting, this.axis.settingAt(place)));
  }

  stepBy(steps, sideways) {
    this.set((setting, value) => {
      const { min, max, step } = SETTINGS[setting];
      if (!Number.isFinite(steps)) return steps < 0 ? min : max;
      // a larger area lies to the left
      const direction = sideways && setting === "area" ? -1 : 1;
      return kept(setting, value + direction * steps * step);
    });
  }

  set(valueOf) {
    const settings = this.settings();
    if (!settings) return;
    const setting = settingOf(settings.rule);
    this.face.setValue(inputOf(setting), valueOf(setting, settings[setting]));
    this.moved();
  }
}

function inksOf(style) {
  return { below: style.getPropertyValue("--below").trim(), above: style.getPropertyValue("--above").trim() };
}
