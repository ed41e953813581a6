/** A verdict as a word, a colour and a sentence with the numbers behind it; below it what can be done about it, one click away. */
import { GOOD, POOR, html, WARNING } from "./markup.mjs";
import { REMEDY_STYLE, remedyButtons } from "./remedy_buttons.mjs";

export const VERDICT_STYLE = `
  ${REMEDY_STYLE}
  .good, .doubtful, .poor { border-left: 3px solid ${GOOD}; padding-left: 5px; }
  .doubtful { border-color: ${WARNING}; }
  .poor { border-color: ${POOR}; }
`;

/** @param {Face} face */
export function verdictView(face) {
  const sentence = html("div", { role: "status" }); // it stays, so that what comes into it is announced
  const buttons = remedyButtons(face);
  const element = html("div", {}, sentence, buttons.element);
  let shown = "";

  /**
   * @param {{grade: "good" | "doubtful" | "poor" | "", said: string} | null} verdict
   * @param {import("./remedy_buttons.mjs").Remedy[]} remedies
   */
  function update(verdict, remedies) {
    const now = JSON.stringify(verdict);
    if (now !== shown) {
      shown = now;
      sentence.replaceChildren(...(verdict ? [paragraph(verdict)] : []));
    }
    buttons.update(remedies);
  }

  function paragraph({ grade, said }) {
    const word = grade && html("strong", {}, face.text(`verdict.${grade}`));
    return html("p", { class: grade || "quiet" }, word, word && " ", said);
  }

  return { element, update };
}
