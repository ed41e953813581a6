/**
 * Whose output it is. The frontend gives that of a run to the node of its id in the workflow that is shown, also when another
 * workflow of the page ran: one made from the same template has the same ids. What it gave it keeps with the shown workflow.
 */

/** @import { Workflows, WorkflowTracker } from "../../../../scripts/app.js" */

/**
 * By the tracker of a workflow, as text, what its nodes were given of other workflows' runs.
 *
 * @type {WeakMap<object, Set<string>>}
 */
const given = new WeakMap();

/**
 * Of an output that a run gives just now: whether it is of another workflow than the one that is shown. Where the frontend does
 * not say which workflow ran, it is of this one.
 *
 * @param {Workflows | undefined} workflows
 * @param {Record<string, any>} output
 */
export function isOfAnother(workflows, output) {
  const own = workflows?.activeWorkflow?.changeTracker;
  if (!own) return false;
  const trackers = (workflows.openWorkflows ?? []).map(({ changeTracker }) => changeTracker);
  const ran = trackers.find((tracker) => outputsOf(tracker).includes(output)) ?? own;
  const others = given.get(own) ?? new Set();
  given.set(own, others);
  const text = JSON.stringify(output);
  if (ran === own) others.delete(text);
  // What both have, as the server gives to both what it remembers, may be shown in both.
  else if (!outputsOf(own).some((one) => JSON.stringify(one) === text)) others.add(text);
  return others.has(text);
}

/**
 * The same of an output that the frontend gives back, as a copy.
 *
 * @param {Workflows | undefined} workflows
 * @param {Record<string, any>} output
 */
export function wasOfAnother(workflows, output) {
  const own = workflows?.activeWorkflow?.changeTracker;
  return Boolean(own && given.get(own)?.has(JSON.stringify(output)));
}

/** The very objects that runs from this workflow gave. @param {WorkflowTracker | null | undefined} tracker */
const outputsOf = (tracker) => Object.values(tracker?.nodeOutputs ?? {});
