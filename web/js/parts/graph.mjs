/** What can be read of the frontend's graph: its nodes, and where a node's inputs get their values. */

/** @import { FrontendGraph, FrontendNode, FrontendWidget } from "../../../../scripts/app.js" */

const BLOCKS_INPUTS = "-10"; // the id that links from a block's own inputs have as their origin, within it

/**
 * All nodes with the ids that a run calls them by, those in subgraphs too.
 *
 * @param {FrontendGraph | undefined} graph
 * @returns {Generator<[FrontendNode, string]>}
 */
export function* allNodes(graph, within = "") {
  for (const node of graph?.nodes ?? []) {
    const id = `${within}${node.id}`;
    yield [node, id];
    if (node.isSubgraphNode?.()) yield* allNodes(node.subgraph, `${id}:`);
  }
}

/**
 * The key of a node in the frontend's outputs.
 *
 * @param {FrontendNode} node
 */
export function locator(node) {
  return node.graph?.isRootGraph === false ? `${node.graph.id}:${node.id}` : String(node.id);
}

/**
 * The node that feeds an input; undefined if there is none, or if it lies outside of this subgraph.
 *
 * @param {FrontendNode} node
 * @param {string} inputName
 * @returns {Upstream | undefined}
 */
export function upstreamOf(node, inputName) {
  const slot = node.inputs?.findIndex((input) => input.name === inputName) ?? -1;
  const feeding = slot >= 0 ? node.getInputNode(slot) : null;
  if (!feeding) return undefined;
  if (feeding.type === "Reroute") return upstreamOf(feeding, feeding.inputs?.[0].name ?? "");
  return {
    type: feeding.type,
    values: Object.fromEntries((feeding.widgets ?? []).map((widget) => [widget.name, widget.value])),
    upstream: (name) => upstreamOf(feeding, name),
  };
}

/**
 * Of an input that a block shows on its face, the block's widget; undefined of any other, where another node gives the block its
 * value, and inside a block that stands on the graph more than once, each time with values of its own.
 *
 * @param {FrontendGraph | undefined} root the whole graph
 * @param {FrontendNode} node
 * @param {string} name of the input
 * @returns {{owner: FrontendNode, widget: FrontendWidget} | undefined}
 */
export function promotedFrom(root, node, name) {
  const id = node.inputs?.find((input) => input.name === name)?.link;
  const link = id == null ? undefined : node.graph?.getLink(id);
  if (!link || String(link.origin_id) !== BLOCKS_INPUTS) return undefined;
  const [block, another] = [...allNodes(root)].map(([one]) => one).filter((one) => one.subgraph === node.graph);
  const input = block?.inputs?.[link.origin_slot];
  if (another || !input) return undefined;
  if (input.link != null) return promotedFrom(root, block, input.name);
  const widget = block.widgets?.find((one) => one.name === input.name);
  return widget && { owner: block, widget };
}
