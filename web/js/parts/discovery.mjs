/** How the pack is told from others in ComfyUI's page. */

const REPOSITORY = "https://github.com/time-diffedit/ComfyUI-TIME-DiffEdit";
// By the type of a socket; they can be read on dark and light, and are those of no type of the host's.
const COLOURS = { TIME_EDIT: "#3fa7d6", TIME_PRIOR: "#7fa99b", TRAJECTORY: "#c98a3a", HEATMAP: "#d9574f", CROP: "#8f7fd6" };

/** The pack's lines on the page About. */
export const ABOUT = [{ label: "TIME & DiffEdit", url: REPOSITORY, icon: "pi pi-github" }];

/** Keeps the sockets' colours: a palette takes away those that it does not name, and gives the page its own. */
export function colourSockets(canvas) {
  const colour = () => colourNow(canvas);
  colour();
  new MutationObserver(colour).observe(document.documentElement, { attributeFilter: ["style"] });
}

/** Where the palette names none, the colours of sockets and links: on the classic canvas, and in Nodes 2.0 by properties. */
function colourNow(canvas) {
  const { default_connection_color_byType: sockets, constructor } = canvas;
  const { style } = document.documentElement;
  for (const [type, own] of Object.entries(COLOURS)) {
    const property = `--color-datatype-${type}`;
    sockets[type] ||= own;
    constructor.link_type_colors[type] ||= own;
    if (!style.getPropertyValue(property)) style.setProperty(property, own);
  }
  canvas.setDirty(true, true);
}
