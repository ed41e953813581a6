/** DDIM Invert: how exactly each step can be undone, and how exactly the picture comes back. */
import { COMMON_STYLE, html, short } from "../parts/markup.mjs";
import { linePlot, PLOT_STYLE } from "../parts/plot.mjs";

const MIN_HEIGHT = 200;
const PLOT_HEIGHT = 90;

/** @param {Face} face @returns {View} */
export function create(face) {
  const words = (key, values) => face.text(`inversion.${key}`, values);
  const element = html("div", { style: "height: 100%" });
  const plot = linePlot(PLOT_HEIGHT);
  const above = html("div");
  const root = html("section", { class: "root", "aria-label": words("title") }, above, plot.element);
  element.attachShadow({ mode: "open" }).append(html("style", {}, COMMON_STYLE + PLOT_STYLE), root);

  face.onResult((output) => output.inversion?.[0] && show(output.inversion[0]));
  plot.element.hidden = true;
  above.replaceChildren(html("p", { class: "quiet" }, words("beforeRun")));

  function show(report) {
    const lines = linesOf(report, words);
    const steps = report.sigmas.length - 1;
    const { method, cfg, model_calls: calls, missed, spread } = report;
    const said = words("summary", { method, steps, sigma: short(report.sigmas.at(-1)), calls, cfg: short(cfg) });
    above.replaceChildren(
      html("p", {}, said),
      ...(missed ? [html("p", {}, words("missed", { error: short(missed.at(-1)), spread: short(spread) }))] : []),
      ...(report.poor ? [html("p", { class: "warning" }, words("poor"))] : []),
      ...(lines.length ? [] : [html("p", { class: "quiet" }, words("unmeasured", { method }))]),
    );
    plot.element.hidden = !lines.length;
    if (!lines.length) return;
    plot.update({
      series: lines,
      x: { label: words("level"), zero: true, format: String },
      y: { log: true },
      label: lines.map(({ name, points }) => worst(name, points)).join(" "),
      readout: (level) => {
        const values = lines.flatMap(({ name, points }) => {
          const value = points.find(([x]) => x === level)?.[1];
          return value === undefined || value === null ? [] : [`${name} ${short(value)}`];
        });
        return words("readout", { level, sigma: short(report.sigmas[level]), values: values.join(", ") });
      },
    });
  }

  function worst(name, points) {
    const [level, value] = points.reduce((most, point) => ((point[1] ?? 0) > (most[1] ?? 0) ? point : most));
    return words("worst", { name, value: short(value), level });
  }

  return { element, minHeight: MIN_HEIGHT, destroy: plot.destroy };
}

/** The lines of the plot as [level, error]; level 0 is the picture. An error of 0 has no place on a logarithmic axis. */
export function linesOf({ residuals, missed }, words) {
  const steps = residuals.length;
  const shown = (value) => (value > 0 ? value : null);
  const lines = [
    { look: 0, name: words("residual"), points: residuals.map((residual, i) => [i + 1, shown(residual)]) },
    { look: 1, name: words("missedLine"), points: (missed ?? []).map((error, i) => [steps - 1 - i, shown(error)]).reverse() },
  ];
  return lines.filter(({ points }) => points.some(([, value]) => value !== null));
}
