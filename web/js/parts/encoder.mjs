/** Which text encoder feeds a node, as the server's route asks for it. */

const FARTHEST = 50; // nodes on the way; a graph may hold a circle
const FILES = { CLIPLoader: 1, DualCLIPLoader: 2, TripleCLIPLoader: 3 };
const TYPES = { TripleCLIPLoader: "sd3" };
const PASSED = ["clip", "clip1"]; // inputs of nodes that change a text encoder and not its tokens: LoRAs, clip skip, merges

/** What is taken where nothing is known. */
export const ASSUMED = { kind: "stable_diffusion", files: 1 };

// What a run tells of a text encoder that could not be known before: the names of its tokenizers.
const BY_TRACKS = { l: ASSUMED, "g+l": { kind: "sdxl", files: 2 }, g: { kind: "stable_cascade", files: 1 } };

/**
 * The encoder of a question to the route; undefined if it is not known.
 *
 * @param {Upstream | undefined} feeding the node that feeds `clip`.
 */
export function encoderOf(feeding) {
  let node = feeding;
  for (let far = 0; node && far < FARTHEST; far++) {
    const { ckpt_name: checkpoint, type } = node.values;
    if (typeof checkpoint === "string" && checkpoint) return { checkpoint };
    if (node.type in FILES) return { kind: TYPES[node.type] ?? type, files: FILES[node.type] };
    const { upstream } = node;
    node = PASSED.map((name) => upstream(name)).find(Boolean);
  }
  return undefined;
}

/** The same after a run, by the tracks of an alignment that it reported. */
export const encoderOfTracks = (tracks) => BY_TRACKS[tracks.map((track) => track.encoder).sort().join("+")];
