/** Whether the inputs of a TIME node are still those of the run that it shows, by what the run reported. */

const RELATIVE = "relative to the rows"; // of lambda_unit
const ENDS_OF_LINES = /\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]/; // as Python has them
const WEIGHTED = /^(|.*[^\\])\|([^|]*)$/;
const ESCAPED = /\\([[\]|])/g;

/**
 * By input: its value as a report has it, and what a report has.
 *
 * @type {Record<string, [(value: any) => unknown, (report: EditReport) => unknown]>}
 */
const REPORTED = {
  lamb: [Number, ({ settings }) => settings.lamb],
  lambda_unit: [(unit) => unit === RELATIVE, ({ settings }) => settings.relative],
  augmentations: [linesOf, ({ settings }) => settings.augmentations],
  preserve: [(text) => linesOf(text).map(keptOf), ({ preserve }) => preserve?.map(({ prompt, weight }) => [prompt, weight])],
  ...Object.fromEntries(
    ["preserve_empty", "layers", "edit_keys", "edit_values", "preserve_mode"].map((name) => [
      name,
      [(value) => value, ({ settings }) => settings[name]],
    ]),
  ),
};

// By what runs found, where the edit was put: of that the report says nothing, and it is shown again after undo.
const places = new Map();

/**
 * The value of `where` that a run had.
 *
 * @param {Face} face
 * @param {EditReport} report
 * @param {boolean} isNew whether the run ended just now
 */
export function placeOf(face, report, isNew) {
  const found = JSON.stringify(report.diagnostics);
  if (isNew || !places.has(found)) places.set(found, face.value("where"));
  return places.get(found);
}

/**
 * Whether an input has another value than in the run. What another node feeds, and what the run did not report, has not.
 *
 * @param {Face} face
 * @param {EditReport} report
 * @param {unknown} where as `placeOf` gives it
 */
export function isChanged(face, report, where) {
  const differs = (name, reported, read = (value) => value) => {
    const own = face.value(name);
    const isKnown = own !== undefined && reported !== undefined && !face.isLinked(name);
    return isKnown && JSON.stringify(read(own)) !== JSON.stringify(reported);
  };
  const { prior, rho } = report.settings;
  const isPriorChanged = Boolean(prior) && (!face.isLinked("prior") || differs("rho", rho));
  const others = Object.entries(REPORTED).some(([name, [read, reported]]) => differs(name, reported(report), read));
  return others || isPriorChanged || differs("where", where);
}

/** The lines of a text box that say something. @param {string} text */
function linesOf(text) {
  return text.split(ENDS_OF_LINES).map((line) => line.trim()).filter(Boolean);
}

/** A prompt with its weight, as parse_preserve reads a line. @param {string} line @returns {[string, number]} */
function keptOf(line) {
  const [, prompt, weight] = WEIGHTED.exec(line) ?? [line, line, "1"];
  return [prompt.trim().replace(ESCAPED, "$1"), Number(weight)];
}
