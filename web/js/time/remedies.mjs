/** What can be done about an edit that cannot be placed, or that went badly: inputs and the values that they are to have. */

const PLACEMENTS = ["replaced words", "whole prompt"]; // of the input alignment
const WITHOUT_PADDING = "without padding"; // of the input tokens

/** @typedef {import("../parts/remedy_buttons.mjs").Remedy} Remedy */

/**
 * For prompts that cannot be placed on one another: the ways to place them that the error itself names.
 *
 * @param {string} error the server's.
 * @param {Words} words
 * @returns {Remedy[]}
 */
export function placementRemedies(error, words) {
  const named = PLACEMENTS.filter((placement) => error.includes(`"${placement}"`));
  return named.map((value) => ({ label: words("use", { value }), widget: "alignment", value }));
}

/**
 * @param {EditVerdict} verdict
 * @param {boolean} sameUnit whether lambda has the unit now in which it is suggested.
 * @param {Words} words
 * @param {(value: number) => string} short
 * @returns {Remedy[]}
 */
export function editRemedies({ problem, suggested }, sameUnit, words, short) {
  const remedies = [];
  if (suggested && sameUnit) {
    const { lamb, fit_residual: fit, empty_leak: leak } = suggested;
    remedies.push({
      label: words("take", { lambda: short(lamb) }),
      widget: "lamb",
      value: lamb,
      gives: words("takeGives", { fit: short(fit), leak: short(leak) }),
      help: words("takeHelp"),
    });
  }
  if (problem === "spilling" || problem === "entangled") {
    remedies.push({ label: words("use", { value: WITHOUT_PADDING }), widget: "tokens", value: WITHOUT_PADDING });
  }
  return remedies;
}
