/** What a run of the node has left on the server: the pictures that it was of, each with its heat map. */
import { Heatmap } from "./heatmap.mjs";
import { html } from "../parts/markup.mjs";

/**
 * @typedef {object} Shot a picture, or a video
 * @property {Heatmap} heatmap of all that were in its batch
 * @property {number} picture its row in that
 * @property {HTMLImageElement[]} images one for each of its frames; none where the node had no picture
 *
 * @param {{heatmap: object[], picture: object[]}} result the files that the node told of
 * @param {Face} face
 * @param {() => void} arrived an image can be shown
 * @returns {Promise<Shot[]>} rejected if the server has no such file any more
 */
export async function shotsOf({ heatmap: files, picture }, face, arrived) {
  const heatmaps = await Promise.all(files.map((file) => heatmapFrom(file, face)));
  const waiting = [...picture];
  const shots = [];
  for (const heatmap of heatmaps) {
    for (let row = 0; row < heatmap.pictures; row++) {
      const images = waiting.splice(0, heatmap.frames).map((file) => imageFrom(file, face, arrived));
      shots.push({ heatmap, picture: row, images });
    }
  }
  return shots;
}

async function heatmapFrom(file, face) {
  const response = await fetch(face.fileUrl(file));
  if (!response.ok) throw new Error(String(response.status));
  return new Heatmap(await response.arrayBuffer());
}

function imageFrom(file, face, arrived) {
  const image = html("img", { onload: arrived });
  image.src = face.fileUrl(file);
  return image;
}
