"""ComfyUI's page in a browser, as a test uses it: load, type, run, read, look."""

import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page

from tools.comfyui.environment import ROOT
from tools.comfyui.hosts import MAIN, chosen_host, numbers, version_of
from tools.ui import TOY_TEMPLATES

PICTURES = ROOT / "demo-output" / "browser"
# What is laid out on a page: older frontends than the main host's make nodes higher.
LAID_OUT_FOR_IT = numbers(version_of(chosen_host())) >= numbers(MAIN)
CLASSIC, NODES_2 = "classic", "nodes2"
RENDERERS = (CLASSIC, NODES_2)
READY = "() => window.app?.vueAppReady && window.app.canvas"
NOISE_OF_THE_HOST = "ComfyApp graph accessed before initialization"  # also without any pack, at every start of the page
# Milliseconds until what never comes is given up, far more than the slowest machine needs; PATIENCE=20 for who writes a test.
PATIENCE = int(os.environ.get("PATIENCE", 600)) * 1000
# What the server tells the tab whose prompt it works on.
RUN = """async (patience) => {
  const { api } = app
  let moved = Date.now(), ended
  const moves = ['status', 'execution_start', 'execution_cached', 'executing', 'executed', 'progress', 'progress_state']
  const ends = ['execution_success', 'execution_error', 'execution_interrupted']
  const onMove = () => (moved = Date.now()), onEnd = ({ detail }) => (ended = detail.prompt_id)
  const nextLook = () => new Promise((next) => setTimeout(next, 50))
  for (const kind of moves) api.addEventListener(kind, onMove)
  for (const kind of ends) api.addEventListener(kind, onEnd)
  try {
    const taken = await app.queuePrompt(0, 1)
    // Of an older frontend it is false for a prompt that is taken, too, with an empty list of errors.
    if (!taken && Object.keys(app.lastNodeErrors ?? { unknown: true }).length) return { refused: app.lastNodeErrors }
    while (!ended && Date.now() - moved < patience) await nextLook()
    while (ended && Date.now() - moved < patience) {
      const entry = (await (await fetch(`/history/${ended}`)).json())[ended]
      if (entry?.status) return entry
      await nextLook()
    }
  } finally {
    for (const kind of moves) api.removeEventListener(kind, onMove)
    for (const kind of ends) api.removeEventListener(kind, onEnd)
  }
}"""
# Fewer frames, for the same reason as no motion.
QUIET = {
    "LiteGraph.Canvas.MaximumFps": 12,
    "Comfy.TutorialCompleted": True,
    "Comfy.OnboardingCoachmarks.Seen": ["appMode", "firstRun"],
    "Comfy.Workflow.ShowMissingModelsWarning": False,
    "Comfy.Release.Status": "skipped",
}


class ComfyPage:
    """One tab. Errors on its console are kept in `errors`; the fixture that made it fails the test if there are any."""

    def __init__(
        self,
        browser: Browser,
        url: str,
        renderer: str = CLASSIC,
        locale: str = "en",
        theme: str = "dark",
        context=None,
        prepare: Callable[[Page], None] = lambda page: None,
    ):
        """`prepare` is called before the page is opened."""
        self.url, self.renderer = url, renderer
        # Without a GPU what moves on the page would take the cores that the server computes on.
        self.context = context or browser.new_context(
            viewport={"width": 1500, "height": 1000}, locale="en-US", reduced_motion="reduce"
        )
        self.context.route(lambda address: not address.startswith(url), lambda route: route.fulfill(json={}))
        self.context.route("**/user.css", lambda route: route.fulfill(content_type="text/css"))
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.errors: list[str] = []
        self.page.on("console", self._keep_error)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.settings = QUIET | {
            "Comfy.VueNodes.Enabled": renderer == NODES_2,
            "Comfy.Locale": locale,
            "Comfy.ColorPalette": theme,
        }
        prepare(self.page)
        self.open()

    def _keep_error(self, message) -> None:
        if message.type == "error" and message.text != NOISE_OF_THE_HOST:
            self.errors.append(f"{message.text} {message.location}")

    def open(self, query: str = "") -> None:
        # The server keeps them for all tabs, and a tab reads them when it opens.
        self.context.request.post(f"{self.url}/settings", data=json.dumps(self.settings))
        self.page.goto(f"{self.url}/{query}")
        self.page.wait_for_function(READY)
        self.settle()

    def open_template(self, name: str, source: str = TOY_TEMPLATES) -> None:
        """As a link of the template browser does."""
        self.open(f"?template={name}&source={source}")
        # Until then the workflow of last time may stand there; the page drops the query when the template is open.
        self.page.wait_for_function("() => !location.search && app.graph.nodes.length > 1")
        self.settle()

    def template(self, name: str, source: str = TOY_TEMPLATES) -> dict:
        """UI JSON of a template, as the server gives it."""
        return self.context.request.get(f"{self.url}/api/workflow_templates/{source}/{name}.json").json()

    def settle(self, milliseconds: int = 300) -> None:
        self.page.wait_for_timeout(milliseconds)

    def load(self, workflow: dict) -> None:
        """Open UI JSON, or API JSON."""
        load = "app.loadGraphData(w)" if "nodes" in workflow else "app.loadApiJson(w, 'test')"
        self.page.evaluate(f"async (w) => {{ await {load} }}", workflow)
        self.settle()

    def load_as_template(self, workflow: dict) -> None:
        """Open UI JSON as the template browser does, which shows the whole of it."""
        self.page.evaluate(
            "async (w) => { await app.loadGraphData(w, true, true, 'template', { openSource: 'template' }) }", workflow
        )
        self.settle()

    def node_id(self, kind: str) -> int:
        """Of the only, or first, node of this class on the graph that is open."""
        found = self.page.evaluate("(kind) => app.canvas.graph.nodes.filter((n) => n.type === kind).map((n) => n.id)", kind)
        assert found, f"no {kind} on the graph"
        return found[0]

    def value(self, kind: str, name: str):
        return self.page.evaluate(
            "([id, name]) => app.canvas.graph.getNodeById(id).widgets.find((w) => w.name === name).value",
            [self.node_id(kind), name],
        )

    def set_value(self, kind: str, name: str, value) -> None:
        """Set a widget as the renderers do: its value, then its callback."""
        self.page.evaluate(
            """([id, name, value]) => {
              const node = app.canvas.graph.getNodeById(id), widget = node.widgets.find((w) => w.name === name)
              widget.value = value
              widget.callback?.(value, app.canvas, node)
            }""",
            [self.node_id(kind), name, value],
        )

    def limit(self, **most: int) -> None:
        """Lower every widget of these names that is above its limit: where pictures are made only to see that they are."""
        self.page.evaluate(
            """(most) => {
              const all = app.graph.nodes.flatMap((node) => node.widgets ?? []).filter(({ name }) => name in most)
              for (const widget of all) widget.value = Math.min(widget.value, most[widget.name])
            }""",
            most,
        )

    def show(self, kind: str, zoom: float = 1.0) -> None:
        """Bring a node into the middle of the window."""
        self.page.evaluate(
            """([id, zoom]) => {
              const node = app.canvas.graph.getNodeById(id)
              app.canvas.ds.scale = zoom
              app.canvas.centerOnNode(node)
              app.canvas.setDirty(true, true)
            }""",
            [self.node_id(kind), zoom],
        )
        self.settle()

    def view(self, kind: str):
        """The element that holds our view of a node; Playwright's locators look into its shadow root."""
        return self.page.locator(f"[data-time-diffedit='{self.node_id(kind)}']")

    def api(self) -> dict:
        """What the browser would send to the server."""
        return self.page.evaluate("async () => (await app.graphToPrompt()).output")

    def run(self) -> dict:
        """Run the graph as the Run button does; the outputs of its nodes, as in the server's history."""
        entry = self.page.evaluate(RUN, PATIENCE)
        assert entry, f"the server said nothing for {PATIENCE / 1000:.0f} s"
        assert "status" in entry, entry
        assert entry["status"]["status_str"] == "success", entry["status"]
        self.settle(500)
        return entry["outputs"]

    @contextmanager
    def setting(self, name: str, value) -> Iterator[None]:
        """A setting of the page changed, as in its dialog, for the length of a `with` block."""
        change = "async ([name, value]) => { await app.extensionManager.setting.set(name, value) }"
        before = self.page.evaluate("(name) => app.extensionManager.setting.get(name)", name)
        self.page.evaluate(change, [name, value])
        self.settle()
        try:
            yield
        finally:
            self.page.evaluate(change, [name, before])

    def file(self, described: dict) -> bytes:
        """A file of an output."""
        answer = self.context.request.get(
            f"{self.url}/view", params={k: described[k] for k in ("filename", "subfolder", "type")}
        )
        assert answer.ok, answer.status
        return answer.body()

    def picture(self, name: str) -> Path:
        """Keep a screenshot to be looked at."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        path = PICTURES / f"{re.sub(r'[^A-Za-z0-9_-]+', '_', name)}_{self.renderer}.png"
        self.page.screenshot(path=path)
        return path

    def close(self) -> None:
        self.context.close()
