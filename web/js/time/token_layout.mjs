/**
 * Two rows of tokens as a drawing: what the source's tokens become in the destination.
 *
 * Tokens that belong together stand in one column wherever their order allows it, so that lines are upright and a gap in
 * one row is what the other has more.
 */

const GAP = 6;
const PAD = 7; // left and right of a token's text
export const CHIP_HEIGHT = 20;
export const ROW_DISTANCE = 46; // from the top of one row to that of the other

/**
 * @typedef {object} Token
 * @property {string} text as it is shown.
 * @property {"same" | "added" | "dropped" | "apart" | "special" | "padding"} kind "apart" is a word that no line of this
 *   way of editing can meet.
 */

/**
 * The tokens of an alignment as the server reports it, with padding folded into one at the end, and the lines between.
 *
 * @param {Track} track one of `tracks` in the route's answer.
 * @param {Placing} settings of the edit.
 * @param {{start: string, end: string, padding: (count: number) => string}} words
 * @returns {{source: Token[], destination: Token[], lines: [number, number][]}}
 */
export function tokensOf(track, settings, words) {
  /** @type {[number, number][]} */
  const lines = track.pairs.map((pair) => [...pair]);
  const matched = [new Set(lines.map(([here]) => here)), new Set(lines.map(([, there]) => there))];
  const matches = settings.alignment !== "whole prompt" && settings.tokens !== "last word";
  /** @type {(pieces: string[], kinds: string[], side: 0 | 1, unmatched: Token["kind"]) => Token[]} */
  const row = (pieces, kinds, side, unmatched) =>
    pieces.map((text, i) => {
      if (kinds[i] !== "word") return { text: kinds[i + 1] === "word" ? words.start : words.end, kind: "special" };
      return { text, kind: matched[side].has(i) ? "same" : matches ? unmatched : "apart" };
    });
  const source = row(track.source, track.source_kinds, 0, "dropped");
  const destination = row(track.destination, track.destination_kinds, 1, "added");
  const [here, there] = track.padding ?? [0, 0];
  if (here) source.push({ text: words.padding(here), kind: "padding" });
  if (there) destination.push({ text: words.padding(there), kind: "padding" });
  if (here && settings.tokens === "all") lines.push([source.length - 1, destination.length - 1]);
  return { source, destination, lines };
}

/**
 * Columns of [place in source or null, place in destination or null], in the order of both.
 *
 * @param {number} here how many tokens the source has.
 * @param {number} there how many tokens the destination has.
 * @param {[number, number][]} lines
 */
export function columnsOf(here, there, lines) {
  const columns = [];
  let [i, j] = [0, 0];
  const upTo = (source, destination) => {
    while (i < source && j < destination) columns.push([i++, j++]); // no line joins them, and it saves room
    while (i < source) columns.push([i++, null]);
    while (j < destination) columns.push([null, j++]);
  };
  for (const [source, destination] of lines) {
    if (source < i || destination < j) continue; // several tokens that become one, or lines that cross: they are slanted
    upTo(source, destination);
    columns.push([i++, j++]);
  }
  upTo(here, there);
  return columns;
}

/**
 * Places of all tokens and lines.
 *
 * @param {ReturnType<typeof tokensOf>} tokens
 * @param {(token: Token) => number} measure the width of a token's text.
 * @returns {{width: number, height: number, chips: {row: number, x: number, y: number, width: number, token: Token}[],
 *   lines: {from: [number, number], to: [number, number], kind: string}[]}}
 */
export function layOut({ source, destination, lines }, measure) {
  const rows = [source, destination];
  /** @type {number[][]} */
  const middles = [[], []];
  const chips = [];
  let left = 1;
  for (const column of columnsOf(source.length, destination.length, lines)) {
    const widths = column.map((place, row) => (place === null ? 0 : measure(rows[row][place]) + 2 * PAD));
    const width = Math.max(...widths);
    column.forEach((place, row) => {
      if (place === null) return;
      middles[row][place] = left + width / 2;
      const x = left + (width - widths[row]) / 2;
      chips.push({ row, x, y: 1 + row * ROW_DISTANCE, width: widths[row], token: rows[row][place] });
    });
    left += width + GAP;
  }
  return {
    width: left - GAP + 1,
    height: ROW_DISTANCE + CHIP_HEIGHT + 2,
    chips,
    lines: lines.map(([here, there]) => ({
      from: [middles[0][here], 1 + CHIP_HEIGHT],
      to: [middles[1][there], 1 + ROW_DISTANCE],
      kind: source[here].kind,
    })),
  };
}
