/** Controls that a view is made of. */
import { html } from "./markup.mjs";

const ANSWERED = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "PageUp", "PageDown", "Home", "End", " ", "Enter"];

/** For keydown: what a control of ours answers, the host must not take for a move of the selected nodes or a shortcut. */
export function keepFromHost(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const isTyped = event.composedPath()[0]?.tagName === "SELECT" && event.key.length === 1; // finds an option by its first letter
  if (isTyped || ANSWERED.includes(event.key)) event.stopPropagation();
}

/** "‹ 2 / 3 ›"; hidden while there is only one. `turn` is called with -1 or 1. */
export function pager(turn) {
  const back = html("button", { type: "button", onclick: () => turn(-1) }, "‹");
  const on = html("button", { type: "button", onclick: () => turn(1) }, "›");
  const place = html("span", { role: "status" });
  const root = html("span", { class: "pager" }, back, place, on);
  return {
    element: root,
    update({ number, count, label, previous, next }) {
      root.hidden = count < 2;
      place.textContent = `${number} / ${count}`;
      place.setAttribute("aria-label", label);
      back.setAttribute("aria-label", previous);
      on.setAttribute("aria-label", next);
      back.disabled = number <= 1;
      on.disabled = number >= count;
    },
  };
}

/**
 * A vertical line in `track` that is moved by pointer and keyboard.
 *
 * @param {HTMLElement} track
 * @param {(place: number) => void} moveTo 0 .. 1, while dragging
 * @param {(steps: number, sideways: boolean) => void} stepBy; sideways: to the right, else to larger values
 */
export function draggableLine(track, moveTo, stepBy) {
  const line = html("div", { class: "line", role: "slider", tabindex: 0 });
  let movable = false;
  const follow = (event) => {
    const { left, width } = track.getBoundingClientRect();
    moveTo(Math.min(1, Math.max(0, (event.clientX - left) / width)));
  };
  track.addEventListener("pointerdown", (event) => {
    if (!movable || event.button !== 0) return;
    line.focus();
    track.setPointerCapture(event.pointerId);
    follow(event);
  });
  // Not of the pointer's event, without which there would be no mouseup, after which ComfyUI looks for changes to undo.
  track.addEventListener("mousedown", (event) => event.preventDefault());
  track.addEventListener("pointermove", (event) => {
    if (movable && track.hasPointerCapture(event.pointerId)) follow(event);
  });
  line.addEventListener("keydown", (event) => {
    const far = event.shiftKey ? 10 : 1;
    /** @type {Record<string, [number, boolean] | undefined>} */
    const ways = {
      ArrowRight: [far, true],
      ArrowLeft: [-far, true],
      ArrowUp: [far, false],
      ArrowDown: [-far, false],
      PageUp: [10, false],
      PageDown: [-10, false],
      Home: [-Infinity, false],
      End: [Infinity, false],
    };
    const steps = ways[event.key];
    if (!steps || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    if (movable) stepBy(...steps);
  });
  track.append(line);
  return {
    update({ place, label, now, min, max, text, isMovable }) {
      movable = isMovable;
      line.style.left = `${100 * Math.min(1, Math.max(0, place))}%`;
      track.classList.toggle("fixed", !movable);
      const attributes = { label, valuenow: now, valuemin: min, valuemax: max, valuetext: text, readonly: !movable };
      for (const [name, value] of Object.entries(attributes)) line.setAttribute(`aria-${name}`, value);
    },
  };
}
