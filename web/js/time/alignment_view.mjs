/**
 * TIME Edit Model and TIME Compute Edit: which token of the destination each token of the source becomes, as soon as the
 * prompts are typed; after a run also how well the edit fits, how far it leaks, and what other values of lambda would do. On top
 * the presets.
 */
import { drawTrack, legend, TRACK_STYLE } from "./alignment_track.mjs";
import { isChanged, placeOf } from "./changed_inputs.mjs";
import { diagnosticsView, DIAGNOSTICS_STYLE } from "./edit_diagnostics.mjs";
import { pager } from "../parts/controls.mjs";
import { ASSUMED, encoderOf, encoderOfTracks } from "../parts/encoder.mjs";
import { COMMON_STYLE, html } from "../parts/markup.mjs";
import { PRESET_STYLE, presetControl } from "../parts/preset_control.mjs";
import { remedyButtons } from "../parts/remedy_buttons.mjs";
import { PRESETS } from "./presets.mjs";
import { placementRemedies } from "./remedies.mjs";

const ROUTE = "/time_diffedit/alignment";
const PAUSE = 300; // milliseconds without a key before the server is asked
const LONGEST = 60_000; // characters; the route reads no more
const MIN_HEIGHT = 330;
const UNAVAILABLE = "unavailable"; // of our words, where the server does not answer
const INPUTS = ["source", "destination", "alignment", "tokens"];
const STYLE = `
  .head { display: flex; gap: 8px; flex-wrap: wrap; }
  button { font: inherit; color: inherit; background: var(--comfy-menu-bg, #353535); cursor: pointer;
    border: 1px solid var(--border-color, #4e4e4e); border-radius: 4px; padding: 0 7px; margin: 0 4px; }
  button:disabled { opacity: 0.4; cursor: default; }
`;

/** @param {Face} face @returns {View} */
export function create(face) {
  const words = (key, values) => face.text(`alignment.${key}`, values);
  const element = html("div", { style: "height: 100%" });
  const lines = pager((by) => {
    line += by;
    show();
  });
  const beside = html("span");
  const lacks = () => (face.isLinked("prior") ? "" : face.text("alignment.noPrior"));
  const preset = presetControl(face, PRESETS, "alignment", lacks);
  const head = html("div", { class: "head" }, preset.element, lines.element, beside);
  const preview = html("div");
  const remedies = remedyButtons(face);
  const diagnostics = diagnosticsView(face);
  const root = html("section", { class: "root", "aria-label": words("title") }, head, preview, remedies.element, diagnostics.element);
  const style = html("style", {}, COMMON_STYLE + STYLE + PRESET_STYLE + TRACK_STYLE + DIAGNOSTICS_STYLE);
  element.attachShadow({ mode: "open" }).append(style, root);

  /** @type {AlignmentAnswer | null} */
  let answer = null; // of the server, to the prompts as they are
  /** @type {EditRun & {where: unknown} | null} */
  let run = null; // what the last run reported, and its input `where`
  let line = 0;
  const ask = questions(face, (found) => {
    answer = found;
    show();
  });

  face.onChange(() => {
    ask();
    show();
  });
  face.onResult((output, isNew) => {
    const report = output.time_edit?.[0];
    if (!report) return;
    const where = placeOf(face, report, isNew);
    run = { report, curve: output.lambda_curve ?? [], verdict: output.verdict?.[0], where };
    ask.know(encoderOfTracks(report.alignments[0]));
    show();
  });
  // Of nodes further up, such as the loader of the checkpoint, a node hears nothing.
  element.addEventListener("pointerenter", () => ask());
  ask();
  show();

  function show() {
    const linked = INPUTS.some((name) => face.isLinked(name));
    const shown = current(answer, run, linked);
    const pairs = shown.pairs;
    line = Math.min(line, Math.max(pairs.length - 1, 0));
    const pair = pairs[line];
    const place = { number: line + 1, count: pairs.length };
    lines.update({ ...place, label: words("line", place), previous: words("previous"), next: words("next") });
    preset.update();
    beside.replaceChildren(...besidePager(pairs));
    preview.replaceChildren(
      ...(shown.message ? [html("p", { class: "quiet" }, words(shown.message))] : []),
      ...(shown.error ? [html("p", { class: "error", role: "alert" }, shown.error)] : []),
      ...(pair ? pairElements(pair, shown.settings) : []),
      ...(shown.assumed && pair ? [html("p", { class: "quiet" }, words("assumed"))] : []),
    );
    remedies.update(placementRemedies(pair?.error ?? "", words));
    diagnostics.update(run && { ...run, stale: !linked && isStale(face, run, answer) });
  }

  function pairElements(pair, settings) {
    if (pair.error) return [html("p", { class: "error", role: "alert" }, pair.error)];
    const several = pair.tracks.length > 1;
    const most = Math.max(...pair.tracks.map((track) => track.alternatives ?? 0));
    return [
      ...pair.tracks.map((track) => drawTrack(track, settings, words, several)),
      legend(pair.tracks, settings, words),
      ...(most ? [html("p", {}, words("alternatives", { count: most }))] : []),
    ];
  }

  function besidePager(pairs) {
    const failing = pairs.length > 1 ? pairs.flatMap((pair, i) => (pair.error ? [i + 1] : [])) : [];
    const weight = pairs[line]?.weight ?? 1;
    return [
      ...(weight === 1 ? [] : [html("span", { class: "quiet" }, words("weight", { weight }))]),
      ...(failing.length ? [html("span", { class: "error" }, words("failing", { lines: failing.join(", ") }))] : []),
    ];
  }

  return {
    element,
    minHeight: MIN_HEIGHT,
    destroy() {
      ask.stop();
      diagnostics.destroy();
    },
  };
}

/**
 * What is to be shown: the run's own alignment if it is that of the prompts as they are, else the server's answer.
 *
 * @param {AlignmentAnswer | null} answer
 * @param {EditRun | null} run
 * @param {boolean} linked whether a prompt comes from another node.
 * @returns {AlignmentAnswer}
 */
function current(answer, run, linked) {
  if (run && (linked || !answer || isOf(answer, run.report))) {
    const { pairs, alignments, settings } = run.report;
    return { settings, pairs: pairs.map((pair, i) => ({ ...pair, tracks: alignments[i] })) };
  }
  if (linked) return { pairs: [], message: "linked" };
  if (!answer) return { pairs: [] };
  return answer;
}

/** Do an answer of the server and the report of a run speak of the same prompts and the same way to place them? */
function isOf(answer, report) {
  const same = (name) => answer.settings?.[name] === report.settings[name];
  const prompts = (pairs) => JSON.stringify(pairs.map((pair) => [pair.source, pair.destination, pair.weight]));
  return !answer.error && same("alignment") && same("tokens") && prompts(answer.pairs) === prompts(report.pairs);
}

/** @param {Face} face */
function isStale(face, run, answer) {
  return isChanged(face, run.report, run.where) || (answer !== null && !isOf(answer, run.report));
}

/**
 * Asks the server about the prompts of `face` when they have not changed for a moment; only the last answer counts.
 *
 * The returned function is to be called whenever something may have changed; `know` tells it the encoder that a run told.
 */
function questions(face, tell) {
  let timer = 0;
  let asked = ""; // the question that was asked last
  let number = 0;
  let told; // the encoder by the last run
  let aborter;

  function question() {
    const known = encoderOf(face.upstream("clip")) ?? told;
    const values = /** @type {PromptPair & Placing} */ (Object.fromEntries(INPUTS.map((name) => [name, face.value(name)])));
    return { ...values, encoder: known ?? ASSUMED, assumed: !known };
  }

  async function ask() {
    const { assumed, ...now } = question();
    const key = JSON.stringify(now) + assumed;
    if (key === asked || INPUTS.some((name) => face.isLinked(name))) return;
    asked = key;
    aborter?.abort();
    aborter = new AbortController();
    const mine = ++number;
    const settings = { alignment: now.alignment, tokens: now.tokens };
    const found = await answerTo(now, assumed, aborter.signal);
    if (mine !== number || !found) return;
    if (found.message === UNAVAILABLE) asked = ""; // it may answer the next time
    tell({ pairs: [], ...found, settings });
  }

  /** The answer; for an encoder that the server does not know, that for the assumed one. */
  async function answerTo(now, assumed, signal) {
    const body = JSON.stringify(now);
    if (body.length > LONGEST) return { message: "tooLong" };
    try {
      const headers = { "Content-Type": "application/json" };
      const response = await face.fetch(ROUTE, { method: "POST", headers, body, signal });
      if (response.status === 429) {
        schedule(1000 * Number(response.headers.get("Retry-After") ?? 1));
        asked = "";
        return null;
      }
      if (!response.ok) return { message: response.status === 413 ? "tooLong" : UNAVAILABLE };
      const found = await response.json();
      if (found.encoder === "unknown" && !assumed) return await answerTo({ ...now, encoder: told ?? ASSUMED }, !told, signal);
      return { ...found, assumed };
    } catch {
      return signal.aborted ? null : { message: UNAVAILABLE };
    }
  }

  function schedule(pause = PAUSE) {
    clearTimeout(timer);
    timer = setTimeout(ask, pause);
  }

  return Object.assign(() => schedule(), {
    know(encoder) {
      told = encoder;
      schedule();
    },
    stop() {
      clearTimeout(timer);
      aborter?.abort();
      number++;
    },
  });
}
