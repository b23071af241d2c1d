// Dashboards: which view is shown, and keeping views. The overview is built in; the fragment of the URL names another.

import { byId, element, setText, showProblem } from "./elements.js";

const TITLES = {
  rate: "Event rate", errors: "Error rate", latency: "Latency", alerts: "Open alerts", sources: "Top sources",
  types: "Top types", events: "Recent events",
};
const OVERVIEW = { name: "Overview", panels: Object.keys(TITLES), window: "1m", filter: {} };

export class Boards {
  #api;
  #mayWrite;
  #shown;
  #kept = new Map();
  #board = null;
  #view = OVERVIEW;

  /** `shown` is told of each view, and whether its window or filter has changed. */
  constructor(api, mayWrite, shown) {
    this.#api = api;
    this.#mayWrite = mayWrite;
    this.#shown = shown;
    byId("dashboards").onchange = (event) => {
      location.hash = event.target.value;
    };
    addEventListener("hashchange", () => this.open());
    byId("window").onchange = (event) => this.#change({ window: event.target.value });
    byId("customise").onclick = () => this.#unfold(byId("editor").hidden);
    byId("name").oninput = (event) => this.#change({ name: event.target.value });
    byId("editor").onsubmit = (event) => {
      event.preventDefault();
      const update = event.submitter?.id === "update";
      this.#doing(() => (update ? this.#update() : this.#save()));
    };
    byId("revert").onclick = () => this.open();
    byId("delete").onclick = () => this.#doing(() => this.#delete());
  }

  /** Open the dashboard that the URL names, as it is kept now. */
  async open() {
    const id = location.hash.slice(1);
    let problem = null;
    try {
      await this.#list();
      if (id && !this.#kept.has(id)) {
        problem = { message: "This dashboard is not there any more. This is the overview." };
      }
    } catch (error) {
      problem = error;
    }
    if (id !== location.hash.slice(1)) return;
    this.#board = this.#kept.get(id) ?? null;
    this.#view = viewOf(this.#board ?? OVERVIEW);
    showProblem(byId("board-problem"), problem);
    this.#show();
  }

  /** The user has chosen another filter. */
  filtered(filter) {
    this.#view = { ...this.#view, filter };
    this.#tell();
  }

  async #list() {
    const { dashboards } = await this.#api.get("dashboards");
    this.#kept = new Map(dashboards.map((board) => [board.id, board]));
  }

  #change(part) {
    this.#view = { ...this.#view, ...part };
    if (part.name === undefined) this.#show();
    else this.#tell();
  }

  /** Show the view and everything that says what it is. */
  #show() {
    const { panels, window, name } = this.#view;
    const place = byId("panels");
    for (const panel of Object.keys(TITLES)) byId(`panel-${panel}`).hidden = !panels.includes(panel);
    place.append(...panels.map((panel) => byId(`panel-${panel}`)));
    byId("window").querySelector(`[value="${window}"]`).checked = true;
    byId("name").value = name;
    this.#offer();
    this.#tell();
    this.#shown(this.#view);
  }

  /** Say which dashboard this is, and what may be done with it. */
  #tell() {
    const options = [OVERVIEW, ...this.#kept.values()].map((board) => new Option(board.name, board.id ?? ""));
    byId("dashboards").replaceChildren(...options);
    byId("dashboards").value = this.#board?.id ?? "";
    const unsaved = JSON.stringify(viewOf(this.#board ?? OVERVIEW)) !== JSON.stringify(this.#view);
    byId("unsaved").hidden = !unsaved;
    byId("revert").disabled = !unsaved;
    byId("update").hidden = byId("delete").hidden = this.#board === null;
    byId("update").disabled = !this.#mayWrite || !unsaved;
    byId("save").disabled = byId("delete").disabled = !this.#mayWrite;
  }

  #unfold(open) {
    byId("editor").hidden = !open;
    byId("customise").setAttribute("aria-expanded", String(open));
    if (open) byId("name").focus();
  }

  /** Offer all panels: those of the view in their order, then the others. */
  #offer() {
    const { panels } = this.#view;
    const focused = document.activeElement?.dataset.key;
    const others = Object.keys(TITLES).filter((panel) => !panels.includes(panel));
    byId("chosen").replaceChildren(...[...panels, ...others].map((panel) => this.#choice(panel)));
    if (focused) byId("chosen").querySelector(`[data-key="${focused}"]:enabled`)?.focus();
  }

  #choice(panel) {
    const { panels } = this.#view;
    const at = panels.indexOf(panel);
    const box = element("input", { type: "checkbox", checked: at >= 0, data: { key: panel } });
    // A dashboard shows something.
    box.disabled = at >= 0 && panels.length === 1;
    box.onchange = () =>
      this.#change({ panels: at >= 0 ? panels.filter((each) => each !== panel) : [...panels, panel] });
    const move = (by, text, symbol) => {
      const button = element("button", { type: "button", data: { key: `${panel}${by}` } }, symbol);
      button.setAttribute("aria-label", `Move ${TITLES[panel]} ${text}`);
      button.disabled = at < 0 || !(at + by in panels);
      button.onclick = () => {
        const moved = panels.toSpliced(at, 1);
        this.#change({ panels: moved.toSpliced(at + by, 0, panel) });
      };
      return button;
    };
    const label = element("label", {}, box, TITLES[panel]);
    return element("li", {}, label, move(-1, "up", "↑"), move(1, "down", "↓"));
  }

  async #doing(work) {
    showProblem(byId("board-problem"), null);
    try {
      await work();
    } catch (error) {
      const advice = error.status === 409 && this.#board ? "Revert shows theirs; Save as new keeps yours, too." : "";
      showProblem(byId("board-problem"), error, advice);
    }
  }

  async #save() {
    this.#take(await this.#api.post("dashboards", this.#view), "saved");
  }

  async #update() {
    const { id, version } = this.#board;
    this.#take(await this.#api.put(`dashboards/${id}`, { ...this.#view, version }), "updated");
  }

  #take(board, what) {
    this.#kept.set(board.id, board);
    this.#board = board;
    this.#view = viewOf(board);
    history.pushState(null, "", `#${board.id}`);
    setText(byId("board-news"), `${board.name} was ${what}.`);
    this.#show();
  }

  async #delete() {
    const { id, name } = this.#board;
    if (!confirm(`Delete the dashboard ${name} for everybody?`)) return;
    await this.#api.delete(`dashboards/${id}`);
    setText(byId("board-news"), `${name} was deleted.`);
    this.#unfold(false);
    location.hash = "";
  }
}

/** What is to be seen of a dashboard, in one order of keys: two that are the same are the same as JSON. */
function viewOf({ name, panels, window, filter }) {
  const given = Object.entries(filter).filter(([, value]) => value !== null);
  const order = ["type", "severity", "source"];
  given.sort(([one], [other]) => order.indexOf(one) - order.indexOf(other));
  return { name, panels, window, filter: Object.fromEntries(given) };
}
