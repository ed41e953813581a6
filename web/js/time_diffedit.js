/**
 * The browser part of TIME & DiffEdit, and its only contact with ComfyUI's frontend.
 *
 * Each node below gets one DOM widget with a view, whose module is loaded when the first such node appears. A view knows
 * nothing of the frontend: `faceOf` is all that it sees of its node. What a view shows never decides what a node computes.
 */
import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { keepFromHost } from "./parts/controls.mjs";
import { ABOUT, colourSockets } from "./parts/discovery.mjs";
import { allNodes, locator, promotedFrom, upstreamOf } from "./parts/graph.mjs";
import { announcePrompts, drawPromptNames } from "./parts/prompt_names.mjs";
import { isOfAnother, wasOfAnother } from "./parts/whose.mjs";

/** @import { FrontendNode } from "../../../scripts/app.js" */

/** @type {Record<string, () => Promise<{create: (face: Face) => View}>>} by node id */
const VIEWS = {
  DiffEditMask: () => import("./diffedit/mask_view.mjs"),
  HeatmapToMask: () => import("./diffedit/mask_view.mjs"),
  TIMEEditModel: () => import("./time/alignment_view.mjs"),
  TIMEComputeEdit: () => import("./time/alignment_view.mjs"),
  DDIMInvert: () => import("./diffedit/inversion_view.mjs"),
  TIMEBalance: () => import("./time/balance_view.mjs"),
};
/** What the page's form in place of the graph calls a view: keys of our words, by node id. @type {Record<string, string>} */
const TITLES = {
  DiffEditMask: "mask.title",
  HeatmapToMask: "mask.title",
  TIMEEditModel: "alignment.title",
  TIMEComputeEdit: "alignment.title",
  DDIMInvert: "inversion.title",
  TIMEBalance: "balance.title",
};
const SHOWS_ITS_PICTURES = new Set(["DiffEditMask", "HeatmapToMask", "TIMEBalance"]);
const WIDGET = "time_diffedit_view";
const FOLDER = decodeURIComponent(import.meta.url.split("/extensions/")[1].split("/")[0]); // in which the pack is installed
const PROPERTY_PREFIX = "time_diffedit_";
const SETTING_PREFIX = "TimeDiffEdit.";
const MARGIN = 5; // that the classic canvas leaves around a view, within its widget's height
const FIRST_HEIGHT = 80; // until the view's module is there and tells its own

const MOUNTED = 100; // milliseconds until the page has a new node's widgets

/** @type {Map<string, WeakRef<HTMLElement>>} */
const roots = new Map(); // by locator, the element that holds a node's view
const listenersOf = new WeakMap(); // by node
/** @type {Record<string, string>} */
let words = {};
let pressed = false; // a pointer, in one of our views, which drag by capturing it
let noting = false;

app.registerExtension({
  name: "timediffedit.views",
  aboutPageBadges: ABOUT,
  settings: [
    {
      id: `${SETTING_PREFIX}MaskOpacity`,
      name: "Heat map opacity (percent)",
      tooltip: "How strongly DiffEdit Mask and Heatmap to Mask cover the picture with the heat map.",
      category: ["TIME & DiffEdit", "Masks", "MaskOpacity"],
      type: "slider",
      attrs: { min: 0, max: 100, step: 5 },
      defaultValue: 60,
      onChange: (value) => tellSetting("MaskOpacity", value),
    },
  ],

  async init() {
    words = await loadWords();
    api.addEventListener("progress_state", ({ detail }) => tellProgress(detail.nodes));
    // Of a server that is gone nothing more is heard; a run that goes on behind a broken connection tells its state again.
    for (const end of ["execution_success", "execution_error", "execution_interrupted", "reconnecting"]) {
      api.addEventListener(end, () => tellProgress({}));
    }
  },

  setup() {
    colourSockets(app.canvas);
    // What a block's face says may have changed since its inside was last looked at.
    app.canvas.canvas.addEventListener("litegraph:set-graph", () => {
      for (const node of app.canvas.graph?.nodes ?? []) listenersOf.get(node)?.change.forEach((callback) => callback());
    });
    // The frontend offers the nodes that need a type; only a prior is needed by none.
    LiteGraph.slot_types_default_out.TIME_PRIOR ??= ["TIMEEditModel", "TIMEComputeEdit", "TIMEBalance", "TIMECombineEdits"];
  },

  nodeCreated(node) {
    if (node.constructor.nodeData?.python_module?.endsWith(`.${FOLDER}`)) namePrompts(node);
    const load = VIEWS[node.constructor.comfyClass ?? ""];
    if (load) addView(node, load);
  },

  /** Outputs that come back without a run, such as after a change of the workflow's tab. */
  onNodeOutputsUpdated(outputs) {
    for (const node of nodesWithViews()) {
      const output = outputs[locator(node)];
      if (output && !wasOfAnother(app.extensionManager.workflow, output)) tellResult(node, output, false);
    }
  },
});

/** @param {FrontendNode} node */
function namePrompts(node) {
  queueMicrotask(() => announcePrompts(node)); // the host translates names after this
  chain(node, "onDrawForeground", (context) => drawPromptNames(node, context, LiteGraph.WIDGET_SECONDARY_TEXT_COLOR));
}

/**
 * A node that is loaded gets every value that was saved. Frontend 1.58 leaves one out where a choice has brought as many settings
 * of its own as the node has widgets that are not saved, which a view is.
 *
 * @param {FrontendNode} node
 */
function keepSavedValues(node) {
  const { configure } = node;
  node.configure = function (saved) {
    const values = saved.widgets_values; // which the frontend replaces
    configure.call(this, saved);
    const widgets = (node.widgets ?? []).filter((widget) => widget.serialize !== false);
    if (!Array.isArray(values) || values.length !== widgets.length || values.length === saved.widgets_values?.length) return;
    widgets.forEach((widget, i) => {
      if (widget.value !== values[i]) widget.value = values[i];
    });
  };
}

/**
 * @param {FrontendNode} node
 * @param {() => Promise<{create: (face: Face) => View}>} load
 */
function addView(node, load) {
  const root = document.createElement("div");
  root.style.contain = "layout size"; // else Nodes 2.0 measures its height from itself, for ever
  root.style.width = "100%";
  root.style.height = "100%";
  root.addEventListener("keydown", keepFromHost);
  for (const event of ["pointerdown", "pointerup", "pointercancel"]) {
    root.addEventListener(event, () => (pressed = event === "pointerdown"), true);
  }
  const view = { minHeight: FIRST_HEIGHT, destroy() {} };
  const height = () => view.minHeight + 2 * MARGIN;
  root.style.setProperty("--comfy-widget-min-height", `${FIRST_HEIGHT}px`);
  const widget = node.addDOMWidget(WIDGET, "time_diffedit", root, {
    getMinHeight: height,
    margin: MARGIN,
    hideOnZoom: false,
    getValue: () => "",
    setValue() {},
  });
  widget.label = text(TITLES[node.constructor.comfyClass ?? ""]);
  widget.serialize = false; // a place in widgets_values would shift the values of inputs that come later
  if (SHOWS_ITS_PICTURES.has(node.constructor.comfyClass ?? "")) {
    node.hideOutputImages = true; // in Nodes 2.0
    node.onDrawBackground = () => tellPreview(node); // on the classic canvas, where the host would draw them here
  }
  chain(node, "onAdded", () => (root.dataset.timeDiffedit = String(node.id)));

  let removed = false;
  let leave = () => {};
  chain(node, "onRemoved", () => {
    removed = true;
    leave();
    view.destroy();
  });
  const face = faceOf(node); // before any result can come
  keepHeight(node, face);
  keepSavedValues(node);
  load().then((module) => {
    if (removed) return;
    Object.assign(view, module.create(face));
    leave = place(node, root, view.element);
    root.style.setProperty("--comfy-widget-min-height", `${view.minHeight}px`); // read by the classic canvas
    root.style.minHeight = `${view.minHeight}px`; // else Nodes 2.0 shares out what height the node has
    const [width, height] = node.size;
    node.setSize([width, Math.max(height, node.computeSize()[1])]);
    face.redraw();
  });
}

/**
 * Gives a view the height back that its user gave it: the frontend makes a node as low as can be when an option with other
 * settings is chosen, and when a workflow is loaded.
 */
function keepHeight(node, face) {
  let spare = 0; // above the lowest
  const lowest = () => node.computeSize()[1];
  // A moment later, as the frontend also tells of sizes while it puts the settings of another option on the node.
  chain(node, "onResize", () => queueMicrotask(() => (spare = Math.max(0, node.size[1] - lowest()))));
  const atLeast = ([width, height]) => node.size[1] < height && node.setSize([width, height]);
  face.onChange(() => atLeast([node.size[0], lowest() + spare]));
  chain(node, "onConfigure", (saved) => saved.size && atLeast(saved.size));
}

/**
 * Puts a view where the page shows its node's widget. Nodes 2.0 mounts a widget's element once, and keeps it when undo replaces
 * the node by another of the same id: then the place is that of the node before. Gives the function that ends it: a view
 * whose node is gone must not come back to a place that is another's by now.
 */
function place(node, root, element) {
  const before = roots.get(locator(node))?.deref();
  roots.set(locator(node), new WeakRef(root));
  root.append(element);
  const moves = new ResizeObserver(() => root.isConnected && element.parentNode !== root && root.append(element));
  moves.observe(root);
  const mounted = setTimeout(() => {
    if (root.isConnected || !before?.isConnected) return;
    before.replaceChildren(element);
    roots.set(locator(node), new WeakRef(before));
  }, MOUNTED);
  return () => {
    moves.disconnect();
    clearTimeout(mounted);
  };
}

/**
 * The frontend notes a step of undo when a mouse button or a key comes up: after a drag, but before a click or a choice has
 * written anything, which undo would then take back together with the step before.
 */
function noteForUndo() {
  if (pressed || noting) return;
  noting = true;
  setTimeout(() => {
    noting = false;
    app.canvas.emitBeforeChange();
    app.canvas.emitAfterChange();
  });
}

/**
 * What a view sees of its node; the meaning of each member is what its name says.
 *
 * @param {FrontendNode} node
 * @returns {Face}
 */
function faceOf(node) {
  const changeListeners = [];
  const changed = (name, value) => changeListeners.forEach((callback) => callback(name, value));
  const heard = new WeakSet();
  const hear = (widget, name) => {
    if (heard.has(widget)) return;
    heard.add(widget);
    chain(widget, "callback", () => changed(name, widget.value));
  };
  const listen = () => {
    for (const widget of node.widgets ?? []) if (widget.name !== WIDGET) hear(widget, widget.name);
  };
  listen();
  /** The widget that says what an input is, and whose it is: this node's, or that of the block on whose face it stands. */
  const decisive = (name) => {
    const promoted = promotedFrom(app.graph, node, name);
    if (promoted) hear(promoted.widget, name);
    return promoted ?? { owner: node, widget: node.widgets?.find((widget) => widget.name === name) };
  };
  chain(node, "onInputAdded", listen); // the settings of a choice come and go with it
  // A workflow that is loaded sets values without their callbacks.
  chain(node, "onConfigure", () => changed(undefined, undefined));
  chain(node, "onConnectionsChange", () => changed(undefined, undefined));
  listenersOf.set(node, {
    change: changeListeners,
    last: undefined,
    callbacks: [],
    preview: undefined,
    previews: [],
    progress: [],
    settings: [],
  });
  chain(node, "onExecuted", (output) => isOfAnother(app.extensionManager.workflow, output) || tellResult(node, output, true));

  return {
    nodeType: node.constructor.comfyClass,
    value: (name) => decisive(name).widget?.value,
    label: (name) => decisive(name).widget?.label ?? name,
    setValue(name, value) {
      const { owner, widget } = decisive(name);
      if (!widget || widget.value === value) return;
      widget.value = value;
      widget.callback?.(value, app.canvas, owner);
      node.setDirtyCanvas(true, true);
      noteForUndo();
    },
    isLinked: (name) =>
      (node.inputs?.some((input) => input.name === name && input.link != null) && !promotedFrom(app.graph, node, name)) ?? false,
    onChange: (callback) => changeListeners.push(callback),
    property: (key) => node.properties[PROPERTY_PREFIX + key],
    setProperty: (key, value) => node.setProperty(PROPERTY_PREFIX + key, value),
    onResult(callback) {
      const results = listenersOf.get(node);
      results.callbacks.push(callback);
      if (results.last) callback(results.last.output, results.last.isNew);
    },
    onPreview: (callback) => listenersOf.get(node).previews.push(callback),
    onProgress: (callback) => listenersOf.get(node).progress.push(callback),
    fetch: (path, options) => api.fetchApi(path, options),
    fileUrl: ({ filename, subfolder, type }) => api.apiURL(`/view?${new URLSearchParams({ filename, subfolder, type })}`),
    setting: (key) => app.extensionManager.setting.get(SETTING_PREFIX + key),
    onSetting: (key, callback) => listenersOf.get(node).settings.push({ key, callback }),
    upstream: (inputName) => upstreamOf(node, inputName),
    text,
    redraw: () => node.setDirtyCanvas(true, true),
  };
}

/** Each once, also where a block with it stands on the graph more often. @returns {Set<FrontendNode>} */
function nodesWithViews() {
  return new Set([...allNodes(app.graph)].map(([node]) => node).filter((node) => listenersOf.has(node)));
}

/**
 * @param {FrontendNode} node
 * @param {Record<string, any>} output of the node's last run
 * @param {boolean} isNew whether it comes from the run itself; else the host restores it
 */
function tellResult(node, output, isNew) {
  const results = listenersOf.get(node);
  results.last = { output, isNew };
  results.callbacks.forEach((callback) => callback(output, isNew));
}

/** @param {Record<string, {state: string, value: number, max: number}>} states by execution id, of the nodes of this run */
function tellProgress(states) {
  const running = new Map(); // by node, as a node in a block that stands on the graph twice has two ids
  for (const [node, id] of allNodes(app.graph)) {
    const state = states[id]?.state === "running" ? states[id] : undefined;
    running.set(node, running.get(node) ?? state);
  }
  for (const [node, state] of running) listenersOf.get(node)?.progress.forEach((callback) => callback(state));
}

/** @param {string} changed @param {unknown} value */
function tellSetting(changed, value) {
  for (const node of nodesWithViews()) {
    for (const { key, callback } of listenersOf.get(node).settings) if (key === changed) callback(value);
  }
}

/**
 * While the node runs, the address of the newest picture that it sends. Nodes 2.0 shows it by itself.
 *
 * @param {FrontendNode} node
 */
function tellPreview(node) {
  const results = listenersOf.get(node);
  const running = node.progress !== undefined; // the last picture is kept beyond the run
  const preview = running ? app.nodePreviewImages[locator(node)]?.at(-1) : undefined;
  if (preview === results.preview) return;
  results.preview = preview;
  results.previews.forEach((callback) => callback(preview));
}

/** Our words in the user's language, English where there are none. */
async function loadWords() {
  const response = await api.fetchApi("/i18n");
  const languages = response.ok ? await response.json() : {};
  const chosen = app.extensionManager?.setting.get("Comfy.Locale") ?? "en";
  return { ...flat(languages.en?.timeDiffEdit), ...flat(languages[chosen]?.timeDiffEdit) };
}

function flat(tree, prefix = "") {
  return Object.fromEntries(
    Object.entries(tree ?? {}).flatMap(([key, value]) =>
      typeof value === "string" ? [[prefix + key, value]] : Object.entries(flat(value, `${prefix}${key}.`)),
    ),
  );
}

function text(key, values = {}) {
  const found = words[key] ?? key;
  return found.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

function chain(object, name, after) {
  const before = object[name];
  object[name] = function (...received) {
    const result = before?.apply(this, received);
    after(...received);
    return result;
  };
}
