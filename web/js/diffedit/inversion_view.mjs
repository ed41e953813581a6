/** DDIM Invert: how exactly each step can be undone, and how exactly the picture comes back. */
import { COMMON_STYLE, html, short } from "../parts/markup.mjs";
import { linePlot, PLOT_STYLE } from "../parts/plot.mjs";
import { VERDICT_STYLE, verdictView } from "../parts/verdict.mjs";
import { inversionRemedies } from "./remedies.mjs";

const MIN_HEIGHT = 256; // with a verdict and two remedies
const PLOT_HEIGHT = 82;

/** @param {Face} face @returns {View} */
export function create(face) {
  const words = (key, values) => face.text(`inversion.${key}`, values);
  const element = html("div", { style: "height: 100%" });
  const plot = linePlot(PLOT_HEIGHT);
  const above = html("div");
  const verdict = verdictView(face);
  const root = html("section", { class: "root", "aria-label": words("title") }, above, verdict.element, plot.element);
  element.attachShadow({ mode: "open" }).append(html("style", {}, COMMON_STYLE + PLOT_STYLE + VERDICT_STYLE), root);

  let last; // what the last run reported
  face.onResult((output) => output.inversion?.[0] && show((last = output.inversion[0])));
  face.onChange(() => last && judge(last));
  plot.element.hidden = true;
  above.replaceChildren(html("p", { class: "quiet" }, words("beforeRun")));

  function show(report) {
    const lines = linesOf(report, words);
    const steps = report.sigmas.length - 1;
    const { method, cfg, model_calls: calls } = report;
    const said = words("summary", { method, steps, sigma: short(report.sigmas.at(-1)), calls, cfg: short(cfg) });
    above.replaceChildren(
      html("p", {}, said),
      ...(lines.length ? [] : [html("p", { class: "quiet" }, words("unmeasured", { method }))]),
    );
    judge(report);
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

  /** How exactly the picture comes back: as it was measured, else as far as the steps tell. */
  function judge(report) {
    const { grade, missed, residual, spread } = report;
    const numbers = (error) => ({ error: short(error), spread: short(spread) });
    const said = missed
      ? [words("missed", numbers(missed.at(-1))), ...(grade === "poor" ? [words("poor")] : [])]
      : grade ? [words("steps", numbers(residual))] : [];
    verdict.update(said.length ? { grade, said: said.join(" ") } : null, inversionRemedies(report, words));
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
