/** Draws a heat map over a picture, and the outline of the mask, in latent cells. */

const DARK = "rgba(0, 0, 0, 0.85)";
const LIGHT = "#fff";

/**
 * @param {HTMLCanvasElement} canvas as many pixels as it shall have
 * @param {{width: number, height: number}} frame in cells
 * @param {?CanvasImageSource} picture below, stretched to the canvas
 * @param {ImageData} heat a pixel a cell
 * @param {number} opacity of the heat, 0 .. 1
 * @param {Uint8Array} cells the mask
 * @param {number} line width of half of the outline, in pixels
 */
export function drawMask(canvas, { width, height }, picture, heat, opacity, cells, line) {
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.clearRect(0, 0, canvas.width, canvas.height);
  if (picture) context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  context.globalAlpha = opacity;
  context.imageSmoothingEnabled = false;
  context.drawImage(asCanvas(heat), 0, 0, canvas.width, canvas.height);
  context.globalAlpha = 1;
  context.imageSmoothingEnabled = true;
  const outline = outlineOf(cells, width, height, canvas.width / width, canvas.height / height);
  context.lineCap = "square";
  for (const { colour, lines } of [{ colour: DARK, lines: 3 }, { colour: LIGHT, lines: 1 }]) {
    context.strokeStyle = colour;
    context.lineWidth = lines * line;
    context.stroke(outline);
  }
}

/**
 * @param {Float32Array} seen 0 .. 1
 * @param {Uint8Array} colours RGB triples from cold to hot
 * @param {boolean} through whether what is cold lets the picture through
 */
export function heatPixels(seen, width, height, colours, through) {
  const image = new ImageData(width, height);
  const hottest = colours.length / 3 - 1;
  for (let i = 0; i < seen.length; i++) {
    const colour = 3 * Math.round(seen[i] * hottest);
    for (let channel = 0; channel < 3; channel++) image.data[4 * i + channel] = colours[colour + channel];
    image.data[4 * i + 3] = through ? 255 * seen[i] : 255;
  }
  return image;
}

/** The edges between masked cells and others, and at the rim of the picture. */
function outlineOf(cells, width, height, cellWidth, cellHeight) {
  const path = new Path2D();
  const masked = (row, column) => row >= 0 && row < height && column >= 0 && column < width && cells[row * width + column] === 1;
  const edge = (row, column, toRow, toColumn) => {
    path.moveTo(column * cellWidth, row * cellHeight);
    path.lineTo(toColumn * cellWidth, toRow * cellHeight);
  };
  for (let row = 0; row <= height; row++) {
    for (let column = 0; column <= width; column++) {
      const here = masked(row, column);
      if (here !== masked(row - 1, column)) edge(row, column, row, column + 1);
      if (here !== masked(row, column - 1)) edge(row, column, row + 1, column);
    }
  }
  return path;
}

function asCanvas(image) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.width, image.height];
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.putImageData(image, 0, 0);
  return canvas;
}
