/** The numbers of a plot's axis. */

/**
 * A scale from values to positions.
 *
 * @param {(number | null)[]} values that are to be shown, null for none; on a logarithmic axis those not above 0 are left out.
 * @param {{log?: boolean, decades?: number, zero?: boolean, also?: number[]}} options `decades`: at most so many below the
 *   largest value of a logarithmic axis; `zero`: a linear axis that begins at 0; `also`: values that it reaches anyway.
 * @param {[number, number]} range positions of the axis's begin and end.
 * @returns {{low: number, high: number, place: (value: number) => number, ticks: number[]}} `place` keeps within the range.
 */
export function scale(values, { log = false, decades = Infinity, zero = false, also = [] } = {}, [begin, end]) {
  const numbers = /** @type {number[]} */ ([...values, ...also].filter(Number.isFinite));
  const usable = numbers.filter((value) => !log || value > 0);
  let low = usable.length ? Math.min(...usable) : log ? 0.1 : 0;
  let high = usable.length ? Math.max(...usable) : 1;
  if (log) low = Math.max(low, high / 10 ** decades);
  else if (zero) low = Math.min(low, 0);
  if (low === high) [low, high] = log ? [low / 2, high * 2] : [low - 0.5, high + 0.5];
  const of = log ? Math.log10 : (value) => value;
  const [first, last] = [of(low), of(high)];
  const place = (value) => {
    const share = log && !(value > 0) ? 0 : (of(value) - first) / (last - first);
    return begin + Math.min(Math.max(share, 0), 1) * (end - begin);
  };
  return { low, high, place, ticks: log ? decadeTicks(low, high) : roundTicks(low, high) };
}

/** Powers of ten, at most six; where there are fewer than two, round numbers between. */
function decadeTicks(low, high) {
  const [first, last] = [Math.ceil(Math.log10(low) - 1e-9), Math.floor(Math.log10(high) + 1e-9)];
  const step = Math.max(Math.ceil((last - first) / 5), 1);
  const ticks = [];
  for (let power = first; power <= last; power += step) ticks.push(Number(`1e${power}`));
  if (ticks.length >= 2) return ticks;
  const between = [1, 2, 5].flatMap((digit) => [first - 1, first].map((power) => Number(`${digit}e${power}`)));
  return between.filter((value) => value >= low && value <= high).sort((a, b) => a - b);
}

function roundTicks(low, high) {
  const rough = (high - low) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = /** @type {number} */ ([1, 2, 5, 10].map((digit) => digit * power).find((candidate) => candidate >= rough));
  const ticks = [];
  const last = Math.floor(high / step + 1e-9);
  for (let i = Math.ceil(low / step - 1e-9); i <= last; i++) ticks.push(Number((i * step).toPrecision(12)));
  return ticks;
}
