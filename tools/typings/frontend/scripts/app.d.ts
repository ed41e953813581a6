/** What the pack uses of ComfyUI's page, which serves this module as /scripts/app.js. */

export interface FrontendWidget {
  name: string;
  value: unknown;
  serialize?: boolean;
  /** The name in the user's language. */
  label?: string;
  hidden?: boolean;
  /** Of a widget that is no drawing. */
  element?: HTMLElement;
  /** From the node's top, on the classic canvas. */
  y?: number;
  callback?(value: unknown, canvas: unknown, node: FrontendNode): void;
}

export interface FrontendInput {
  name: string;
  link?: number | null;
}

export interface FrontendGraph {
  id: string;
  nodes: FrontendNode[];
  isRootGraph?: boolean;
  getLink(id: number): FrontendLink | undefined;
}

export interface FrontendLink {
  origin_id: number | string;
  origin_slot: number;
}

type Size = [number, number];

export interface FrontendNode {
  id: number | string;
  type: string;
  constructor: Function & { comfyClass?: string; nodeData?: { python_module?: string } };
  graph?: FrontendGraph | null;
  subgraph?: FrontendGraph;
  inputs?: FrontendInput[];
  widgets?: FrontendWidget[];
  properties: Record<string, unknown>;
  size: Size;
  flags: { collapsed?: boolean };
  /** 0 .. 1 while the node runs. */
  progress?: number;
  /** Keeps Nodes 2.0 from showing the pictures of the node's output. */
  hideOutputImages?: boolean;
  configure(saved: { widgets_values?: unknown[] }): void;
  onDrawBackground?(): void;
  addDOMWidget(name: string, type: string, element: HTMLElement, options: object): FrontendWidget;
  computeSize(): Size;
  setSize(size: Size): void;
  setDirtyCanvas(foreground: boolean, background: boolean): void;
  setProperty(name: string, value: unknown): void;
  getInputNode(slot: number): FrontendNode | null;
  isSubgraphNode?(): boolean;
}

export interface FrontendCanvas {
  canvas: HTMLCanvasElement;
  /** The one that is open, of a block or the whole. */
  graph?: FrontendGraph;
  /** By the type of a socket. */
  default_connection_color_byType: Record<string, string>;
  constructor: Function & { link_type_colors: Record<string, string> };
  setDirty(foreground: boolean, background: boolean): void;
  /** What changes between these two is one step of undo. */
  emitBeforeChange(): void;
  emitAfterChange(): void;
}

declare global {
  const LiteGraph: { slot_types_default_out: Record<string, string[]>; WIDGET_SECONDARY_TEXT_COLOR: string };
}

export interface Extension {
  name: string;
  settings?: object[];
  aboutPageBadges?: { label: string; url: string; icon: string }[];
  init?(): Promise<void>;
  setup?(): void;
  nodeCreated?(node: FrontendNode): void;
  /** By the node's locator. */
  onNodeOutputsUpdated?(outputs: Record<string, Record<string, any>>): void;
}

/** Those that are open in the page. */
export interface Workflows {
  activeWorkflow?: { changeTracker?: WorkflowTracker | null } | null;
  openWorkflows?: { changeTracker?: WorkflowTracker | null }[];
}

export interface WorkflowTracker {
  /** Of the runs that were started from this workflow; when another is shown, a copy of all that its nodes were given. */
  nodeOutputs?: Record<string, object>;
}

export const app: {
  graph?: FrontendGraph;
  canvas: FrontendCanvas;
  /** By the node's locator, addresses of the pictures that it sent while running. */
  nodePreviewImages: Record<string, string[] | undefined>;
  extensionManager: { setting: { get(id: string): any }; workflow?: Workflows };
  registerExtension(extension: Extension): void;
};
