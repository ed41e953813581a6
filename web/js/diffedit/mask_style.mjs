/** The looks of the mask view, in the colours of ComfyUI's theme. */
import { WARNING } from "../parts/markup.mjs";

export const STYLE = `
  .view {
    --below: color-mix(in srgb, var(--descrip-text, #999) 55%, transparent);
    --above: var(--input-text, #ddd);
    --quiet: color-mix(in srgb, var(--descrip-text, #999) 70%, var(--input-text, #ddd)); /* on the node itself the first alone is too faint */
    box-sizing: border-box;
    height: 100%;
    display: flex;
    flex-direction: column;
    gap: 4px;
    padding: 2px 6px 4px;
    overflow: hidden;
    color: var(--input-text, #ddd);
    font: 12px/1.35 system-ui, sans-serif;
  }
  .scene {
    position: relative;
    flex: 1 1 0;
    min-height: 0;
    display: flex;
    align-items: center;
    justify-content: center;
    overflow: hidden;
    border-radius: 4px;
    background: var(--comfy-input-bg, #222);
  }
  .scene canvas { flex: none; }
  .live { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: contain; background: var(--comfy-input-bg, #222); }
  .progress { position: absolute; left: 4px; top: 4px; padding: 1px 6px; border-radius: 4px; font-variant-numeric: tabular-nums;
    background: color-mix(in srgb, var(--comfy-input-bg, #222) 85%, transparent); }
  .preset { position: absolute; right: 4px; top: 4px; max-width: 60%; justify-content: end; border-radius: 4px;
    background: color-mix(in srgb, var(--comfy-input-bg, #222) 85%, transparent); }
  .preset label { font-size: 0; } /* its word would cover the picture; it is still announced */
  .preset label select { font-size: 12px; }
  .running .hint { visibility: hidden; }
  .empty canvas, .empty .scene > input, .empty .row, .empty .track, .empty .note, [hidden] { display: none !important; }
  p { margin: 0; }
  .hint:empty, .note:empty { display: none; }
  .hint { padding: 16px; text-align: center; color: var(--descrip-text, #999); font-size: 13px; }
  .note { color: var(--quiet); }
  .note.warning { color: inherit; border-left: 3px solid ${WARNING}; padding-left: 5px; }
  .row { flex: none; display: flex; flex-wrap: wrap; align-items: center; justify-content: space-between; gap: 2px 8px; min-height: 18px; }
  .coverage { font-weight: 600; font-variant-numeric: tabular-nums; }
  .caption { font-variant-numeric: tabular-nums; color: var(--quiet); }
  .pager { display: inline-flex; align-items: center; gap: 4px; font-variant-numeric: tabular-nums; }
  button, select {
    font: inherit;
    color: inherit;
    background: var(--comfy-input-bg, #222);
    border: 1px solid var(--border-color, #444);
    border-radius: 4px;
    padding: 0 6px;
    height: 20px;
    cursor: pointer;
  }
  button:disabled { opacity: 0.4; cursor: default; }
  .scene > input { position: absolute; right: 4px; bottom: 4px; width: 56px; height: 14px; margin: 0; padding: 0 4px; opacity: 0.75;
    border-radius: 7px; background: var(--comfy-input-bg, #222); accent-color: var(--input-text, #ddd); }
  .scene > input:is(:hover, :focus-visible) { opacity: 1; }
  .track { flex: none; position: relative; height: 36px; cursor: ew-resize; touch-action: none; user-select: none; }
  .track canvas { width: 100%; height: 100%; }
  .track.fixed { cursor: default; }
  .line {
    position: absolute;
    top: -2px;
    bottom: -2px;
    width: 2px;
    margin-left: -1px;
    background: var(--fg-color, #fff);
    box-shadow: 0 0 0 1px var(--bg-color, #222);
  }
  .line::before {
    content: "";
    position: absolute;
    top: -2px;
    left: -4px;
    width: 10px;
    height: 10px;
    border-radius: 50%;
    background: inherit;
    box-shadow: inherit;
  }
  .fixed .line::before { display: none; }
  .fixed .line { opacity: 0.7; }
  :focus-visible { outline: 2px solid var(--p-primary-color, #3b8fdf); outline-offset: 2px; border-radius: 2px; }
`;
