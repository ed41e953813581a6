/** Reads the safetensors format, as far as this pack writes it. */

const TYPES = { F32: Float32Array, F64: Float64Array, U8: Uint8Array };

/**
 * @param {ArrayBuffer} buffer a whole file
 * @returns {{metadata: Object<string, string>,
 *   tensors: Object<string, {shape: number[], data: Float32Array | Float64Array | Uint8Array}>}}
 */
export function readSafetensors(buffer) {
  const headerLength = Number(new DataView(buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, headerLength)));
  const { __metadata__: metadata = {}, ...entries } = header;
  const start = 8 + headerLength;
  const tensors = {};
  for (const [name, { dtype, shape, data_offsets: [first, end] }] of Object.entries(entries)) {
    tensors[name] = { shape, data: new TYPES[dtype](buffer.slice(start + first, start + end)) };
  }
  return { metadata, tensors };
}
