/** What the views in web/js share: their node's face, and what the server and the nodes tell them. */

/** A file of the server, as the host names it in outputs. */
interface SavedFile {
  filename: string;
  subfolder: string;
  type: string;
}

/** A node on the way to an input. */
interface Upstream {
  type: string;
  /** Widget values by name. */
  values: Record<string, unknown>;
  upstream(inputName: string): Upstream | undefined;
}

type Words = (key: string, values?: Record<string, unknown>) => string;

/** What a view sees of its node. */
interface Face {
  nodeType: string | undefined;
  /** Both are of the node's own widget, or, where a block has the input on its face, of the block's. */
  value(inputName: string): any;
  setValue(inputName: string, value: unknown): void;
  /** What the page calls the input. */
  label(inputName: string): string;
  /** Whether another node decides what it is. */
  isLinked(inputName: string): boolean;
  /** Both are undefined where more than one input may have changed. */
  onChange(callback: (name: string | undefined, value: unknown) => void): void;
  property(key: string): any;
  setProperty(key: string, value: unknown): void;
  /** The node's `ui` output, after each run, and when the host restores it (not `isNew`); at once if there is one. */
  onResult(callback: (output: Record<string, any>, isNew: boolean) => void): void;
  /** The address of the newest picture while the node runs, then undefined. */
  onPreview(callback: (picture: string | undefined) => void): void;
  /** How far a run of the node is, then undefined. */
  onProgress(callback: (progress: { value: number; max: number } | undefined) => void): void;
  fetch(path: string, options?: RequestInit): Promise<Response>;
  fileUrl(file: SavedFile): string;
  setting(key: string): any;
  onSetting(key: string, callback: (value: unknown) => void): void;
  upstream(inputName: string): Upstream | undefined;
  text: Words;
  redraw(): void;
}

interface View {
  element: HTMLElement;
  /** Pixels of the page. */
  minHeight: number;
  destroy(): void;
}

/** `Alignment` of time_core/prompts/alignment.py. */
interface Track {
  encoder: string;
  source: string[];
  destination: string[];
  source_kinds: string[];
  destination_kinds: string[];
  pairs: [number, number][];
  alternatives?: number;
  padding?: [number, number];
}

/** How the tokens of an edit are placed. */
interface Placing {
  alignment: string;
  tokens: string;
}

interface PromptPair {
  source: string;
  destination: string;
  weight: number;
}

interface AlignedPair extends PromptPair {
  error?: string | null;
  tracks: Track[];
}

/** The answer of routes/alignment.py, or why there is none, as a key of our words. */
interface AlignmentAnswer {
  pairs: AlignedPair[];
  settings?: Placing;
  error?: string | null;
  message?: string;
  /** Whether the text encoder is not known and another was asked for. */
  assumed?: boolean;
}

/** `TimeEdit.report` of time_core/equations/time_edit.py, as far as it is shown. */
interface EditReport {
  pairs: PromptPair[];
  alignments: Track[][];
  preserve?: { prompt: string; weight: number }[];
  settings: Placing & { lamb: number; relative: boolean; prior?: string; rho?: number } & Record<string, unknown>;
  diagnostics: {
    rank: number;
    condition: number;
    fit_residual: number;
    edit_size: number;
    empty_leak: number;
    preserve_leak: number | null;
  };
}

interface CurvePoint {
  lamb: number;
  fit_residual: number;
  empty_leak: number;
  edit_size: number;
}

/** Of the server's `verdict`: percents, what is wrong by its key, and the lambda that it suggests. */
interface EditVerdict {
  takes: number;
  spills: number;
  problem: "" | "partial" | "spilling" | "entangled";
  grade: "good" | "doubtful" | "poor";
  suggested: CurvePoint | null;
}

/** What the last run of a TIME node reported; no verdict by versions that gave none. */
interface EditRun {
  report: EditReport;
  curve: CurvePoint[];
  verdict?: EditVerdict;
}
