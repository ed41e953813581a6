/** How well an edit went, and what other values of lambda would have given. */
import { html, short } from "../parts/markup.mjs";
import { linePlot, PLOT_STYLE } from "../parts/plot.mjs";
import { VERDICT_STYLE, verdictView } from "../parts/verdict.mjs";
import { editRemedies, LOWEST_LAMBDA } from "./remedies.mjs";

const PLOT_HEIGHT = 90;
const DECADES = 3; // that the plot shows below its largest value
const HIGHEST_LAMBDA = 1e6; // of the node's input
const RELATIVE = "relative to the rows"; // of lambda_unit
export const DIAGNOSTICS_STYLE = `
  ${PLOT_STYLE}${VERDICT_STYLE}
  .numbers { display: flex; flex-wrap: wrap; gap: 0 12px; margin: 4px 0; }
  .numbers dt, .numbers dd { display: inline; margin: 0 4px 0 0; }
`;

/** @param {Face} face */
export function diagnosticsView(face) {
  const words = (key, values) => face.text(`alignment.${key}`, values);
  const plot = linePlot(PLOT_HEIGHT);
  const above = html("div");
  const verdict = verdictView(face);
  const below = html("div");
  const element = html("div", {}, above, verdict.element, below, plot.element);

  /** @param {EditRun & {stale: boolean} | null} run the last run; null before any. */
  function update(run) {
    plot.element.hidden = !run?.curve.length;
    if (!run) return above.replaceChildren(html("p", { class: "quiet" }, words("beforeRun")));
    above.replaceChildren(...(run.stale ? [html("p", { class: "warning" }, words("stale"))] : []));
    judge(run);
    below.replaceChildren(
      numbers(run.report.diagnostics),
      ...(run.curve.length ? [] : [html("p", { class: "quiet" }, words("noCurve"))]),
    );
    if (run.curve.length) plot.update(curve(run));
  }

  /** The sentence with its numbers, and what can be done. @param {EditRun} run */
  function judge({ verdict: told, report }) {
    if (!told) return verdict.update(null, []);
    const { takes, spills, problem, grade } = told;
    const said = [words("verdict", { takes, spills }), words(problem || "whole")].join(" ");
    const sameUnit = (face.value("lambda_unit") === RELATIVE) === report.settings.relative;
    verdict.update({ grade, said }, editRemedies(told, sameUnit, words, short));
  }

  /** @param {EditReport["diagnostics"]} found */
  function numbers(found) {
    /** @type {[string, string][]} */
    const entries = [
      ["fit", short(found.fit_residual)],
      ["leak", short(found.empty_leak)],
      .../** @type {[string, string][]} */ (found.preserve_leak === null ? [] : [["keptLeak", short(found.preserve_leak)]]),
      ["rank", String(found.rank)],
      ["size", short(found.edit_size)],
      ["condition", short(found.condition)],
    ];
    const entry = ([key, value]) =>
      html("div", { title: words(`${key}Help`) }, html("dt", { class: "quiet" }, words(key)), " ", html("dd", {}, value));
    return html("dl", { class: "numbers" }, entries.map(entry));
  }

  /** @param {EditRun} run @returns {import("../parts/plot.mjs").PlotOptions} */
  function curve({ report, curve: points }) {
    /** @type {(key: string, name: "fit_residual" | "empty_leak" | "edit_size") => import("../parts/plot.mjs").Series} */
    const line = (key, name) => ({ name: words(key), points: points.map((point) => [point.lamb, point[name]]) });
    const used = report.settings.lamb;
    const free = !face.isLinked("lamb");
    const now = free ? face.value("lamb") : used;
    const mark = (x, faint) => ({ x, faint, label: `λ ${short(x)}` });
    const isOnCurve = now >= points[0].lamb && now <= points[points.length - 1].lamb;
    return {
      series: [line("fit", "fit_residual"), line("leak", "empty_leak"), line("size", "edit_size")],
      x: { log: true, label: words("lambda") },
      y: { log: true, decades: DECADES },
      marks: [mark(used, now !== used), ...(now !== used && isOnCurve ? [mark(now)] : [])],
      label: words(free ? "curvePick" : "curve"),
      readout(x) {
        const point = /** @type {CurvePoint} */ (points.find(({ lamb }) => lamb === x));
        const { fit_residual: fit, empty_leak: leak, edit_size: size } = point;
        return words("readout", { lambda: short(x), fit: short(fit), leak: short(leak), size: short(size) });
      },
      pick: free ? take : undefined,
    };
  }

  function take(lamb) {
    face.setValue("lamb", Math.min(Math.max(Number(lamb.toPrecision(3)), LOWEST_LAMBDA), HIGHEST_LAMBDA));
  }

  return { element, update, destroy: plot.destroy };
}
