/** On the classic canvas a text box says its name only while it is empty; here it stands above the box, and is announced. */

const ABOVE = 7; // pixels from the top of a text box's widget to the line that its name stands on: within the box's margin
const LEFT = 15;
const FONT = "9px sans-serif";

/** @import { FrontendNode, FrontendWidget } from "../../../../scripts/app.js" */

const nameOf = (widget) => widget.label ?? widget.name;

/** @param {FrontendNode} node @returns {FrontendWidget[]} its text boxes of several lines */
const textBoxes = (node) => (node.widgets ?? []).filter(({ element }) => element?.tagName === "TEXTAREA");

/** @param {FrontendNode} node */
export function announcePrompts(node) {
  for (const widget of textBoxes(node)) widget.element?.setAttribute("aria-label", nameOf(widget));
}

/**
 * After the host has drawn the node itself.
 *
 * @param {FrontendNode} node
 * @param {CanvasRenderingContext2D} context
 * @param {string} colour
 */
export function drawPromptNames(node, context, colour) {
  if (node.flags.collapsed) return;
  context.save();
  context.font = FONT;
  context.fillStyle = colour;
  context.textAlign = "left";
  context.textBaseline = "alphabetic";
  for (const widget of textBoxes(node)) {
    if (!widget.hidden) context.fillText(nameOf(widget), LEFT, (widget.y ?? 0) + ABOVE, node.size[0] - 2 * LEFT);
  }
  context.restore();
}
