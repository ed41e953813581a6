/** The heat maps of a run, from the file that diffedit_core/mask/heatmap_file.py writes. */
import { readSafetensors } from "../parts/safetensors.mjs";

export class Heatmap {
  /** @param {ArrayBuffer} buffer the file */
  constructor(buffer) {
    const { metadata, tensors } = readSafetensors(buffer);
    const { shape, data } = tensors.values;
    this.pairs = shape[0];
    this.pictures = shape[1];
    this.frames = shape.length === 5 ? shape[2] : 1;
    this.height = shape[shape.length - 2];
    this.width = shape[shape.length - 1];
    this.cell = Number(metadata.cell);
    /** Values along a side of a cell. */
    this.detail = Number(metadata.detail);
    /** Values by which a mask has to grow to hold what it found. */
    this.rim = Number(metadata.rim);
    /** Why the heat is not focused, though it was to be: a key of the texts `mask.unfocused`; or empty. */
    this.unfocused = metadata.unfocused;
    /** By input name, what the mask of the run was made with. */
    this.settings = JSON.parse(metadata.settings);
    /** 256 RGB triples from cold to hot. */
    this.colours = /** @type {Uint8Array} */ (tensors.colours.data);
    this._values = data;
    this._means = tensors.mean.data;
    this._ascending = new Map();
  }

  /** Cells of a picture, all its frames together. */
  get cells() {
    return this.frames * this.height * this.width;
  }

  /** A picture's pairs as one heat map: of each cell its hottest pair's value, in means of that pair's heat map. */
  united(picture) {
    const united = new Float64Array(this.cells);
    for (let pair = 0; pair < this.pairs; pair++) {
      const { values, mean } = this.picture(pair, picture);
      values.forEach((value, i) => (united[i] = Math.max(united[i], value / mean)));
    }
    return united;
  }

  /** What a rule judges: one picture of one pair. */
  picture(pair, picture) {
    const row = pair * this.pictures + picture;
    const values = this._values.subarray(row * this.cells, (row + 1) * this.cells);
    if (!this._ascending.has(row)) this._ascending.set(row, Float64Array.from(values).sort());
    const { frames, height, width } = this;
    return { values, ascending: this._ascending.get(row), mean: this._means[row], frames, height, width };
  }
}
