/**
 * What can be done about an edit that cannot be placed, that went badly, or that a search left out of balance: inputs and the values
 * that they are to have.
 */

const PLACEMENTS = ["replaced words", "whole prompt"]; // of the input alignment
const WITHOUT_PADDING = "without padding"; // of the input tokens
const FURTHER = 100; // times the bound of a search
// What the nodes' inputs take.
export const LOWEST_LAMBDA = 1e-6;
const HIGHEST_BOUND = 1e12; // of a search
const MOST_STRENGTH = 10;

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

/**
 * For a search whose shares all lie on one side of what was wanted.
 *
 * @param {{out_of_reach: "below" | "above" | null, strength: number, lowest: number, highest: number}} report
 * @param {Words} words
 * @param {(value: number) => string} short
 * @returns {Remedy[]}
 */
export function balanceRemedies({ out_of_reach: side, strength, lowest, highest }, words, short) {
  const taken = { strength: Math.min(2 * strength, MOST_STRENGTH), lowest: Math.max(lowest / FURTHER, LOWEST_LAMBDA) };
  const values = { below: taken, above: { highest: Math.min(highest * FURTHER, HIGHEST_BOUND) } }[side] ?? {};
  return Object.entries(values).map(([widget, value]) => ({ label: words(`take.${widget}`, { value: short(value) }), widget, value }));
}
