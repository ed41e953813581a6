/** TIME Balance: the share of pictures that show the label, over lambda, and which lambda was taken. */
import { COMMON_STYLE, html, short } from "../parts/markup.mjs";
import { linePlot, PLOT_STYLE } from "../parts/plot.mjs";
import { REMEDY_STYLE, remedyButtons } from "../parts/remedy_buttons.mjs";
import { balanceRemedies } from "./remedies.mjs";

const MIN_HEIGHT = 290;
const PLOT_HEIGHT = 130;
const STYLE = "img { width: 100%; }";

/** @param {Face} face @returns {View} */
export function create(face) {
  const words = (key, values) => face.text(`balance.${key}`, values);
  const element = html("div", { style: "height: 100%" });
  const plot = linePlot(PLOT_HEIGHT);
  const above = html("div", { role: "status" });
  const remedies = remedyButtons(face);
  const live = html("img", { alt: words("live"), hidden: true });
  const root = html("section", { class: "root", "aria-label": words("title") }, live, above, remedies.element, plot.element);
  element.attachShadow({ mode: "open" }).append(html("style", {}, COMMON_STYLE + PLOT_STYLE + REMEDY_STYLE + STYLE), root);

  let last; // what the last run reported
  const offer = () => last && remedies.update(balanceRemedies(last, words, short));
  face.onResult((output) => output.balance?.[0] && show((last = output.balance[0])));
  face.onChange(offer);
  face.onPreview((picture) => {
    live.hidden = !picture;
    if (picture) live.src = picture;
  });
  plot.element.hidden = true;
  above.replaceChildren(html("p", { class: "quiet" }, words("beforeRun")));

  function show(report) {
    const { found, target, pictures, label, measured } = report;
    const percent = (share) => Math.round(100 * share);
    const [share, margin] = [percent(found.share), percent(found.margin)];
    const said = words("found", { lambda: short(found.lamb), share, margin, pictures, label });
    above.replaceChildren(
      html("p", {}, said),
      ...warningsOf(report, words).map((warning) => html("p", { class: "warning" }, warning)),
    );
    offer();
    plot.element.hidden = false;
    plot.update({
      series: linesOf(report, words),
      x: { log: true, label: words("lambda"), also: [report.lowest, report.highest] },
      y: { also: [0, 1] },
      marks: [{ x: found.lamb, label: `λ ${short(found.lamb)}` }],
      label: words("plot", { label, target: short(target), count: measured.length }),
      readout(x) {
        const probe = measured.find(({ lamb }) => lamb === x);
        return words("readout", { lambda: short(x), share: short(probe.share), shown: probe.shown, pictures: probe.pictures });
      },
    });
  }

  return { element, minHeight: MIN_HEIGHT, destroy: plot.destroy };
}

/**
 * The lines of the plot as [lambda, share], lambdas ascending: what was measured, and what was wanted.
 *
 * @returns {import("../parts/plot.mjs").Series[]}
 */
export function linesOf({ measured, target }, words) {
  const probes = [...measured].sort((a, b) => a.lamb - b.lamb);
  return [
    { name: words("share"), points: probes.map(({ lamb, share }) => [lamb, share]) },
    { name: words("wanted"), points: probes.map(({ lamb }) => [lamb, target]) },
  ];
}

export function warningsOf({ out_of_reach: side, rise, target, lowest, highest, measured }, words) {
  const lambdas = measured.map(({ lamb }) => lamb);
  const [end, bound] = side === "below" ? [Math.min(...lambdas), lowest] : [Math.max(...lambdas), highest];
  return [
    ...(side ? [words(side, { target: short(target), lambda: short(end), bound: short(bound) })] : []),
    ...(rise ? [words("rise", { rise: short(rise) })] : []),
  ];
}
