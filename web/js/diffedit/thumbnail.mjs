/** Whether two pictures are the same one, but for their size and small changes. */

const SIDE = 4; // pixels
const ALIKE = 12; // of 255, on average

/** A few numbers that tell one picture from another. @param {HTMLImageElement} image @returns {number[]} */
export function thumbnailOf(image) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIDE;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.imageSmoothingQuality = "high";
  context.drawImage(image, 0, 0, SIDE, SIDE);
  return Array.from(context.getImageData(0, 0, SIDE, SIDE).data).filter((_, i) => i % 4 < 3);
}

/** @param {number[] | undefined} one @param {number[]} other */
export function areAlike(one, other) {
  if (one?.length !== other.length) return false;
  return one.reduce((sum, value, i) => sum + Math.abs(value - other[i]), 0) / other.length <= ALIKE;
}
