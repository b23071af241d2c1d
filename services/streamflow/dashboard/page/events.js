// The panel of recent events: the newest that pass the filter, and page by page the older ones.

import { arrange, byId, element, setText, showProblem } from "./elements.js";
import { time } from "./format.js";

const TYPES = [
  "web.click", "web.pageview", "api.request", "api.response", "user.login", "user.logout", "error", "metric", "custom",
];
const SEVERITIES = ["low", "medium", "high", "critical"];
const LIMIT = 50;
const REFRESH_MS = 2000;
/** How long nothing is typed before what was typed holds. */
const TYPED_MS = 500;

export class Events {
  #api;
  #changed;
  #filter = {};
  #rows = new Map();
  #next = null;
  #older = false;
  #asked = 0;
  #typing = 0;
  #form = byId("filter");

  /** `changed` is told of each filter that the user chooses. */
  constructor(api, changed) {
    this.#api = api;
    this.#changed = changed;
    offer(this.#form.elements.type, TYPES);
    offer(this.#form.elements.severity, SEVERITIES);
    this.#form.onchange = () => this.#apply();
    this.#form.onsubmit = (event) => {
      event.preventDefault();
      this.#apply();
    };
    this.#form.elements.source.oninput = () => {
      clearTimeout(this.#typing);
      this.#typing = setTimeout(() => this.#apply(), TYPED_MS);
    };
    byId("newest").onclick = () => this.#load();
    byId("older").onclick = () => this.#load(this.#next);
    setInterval(() => this.#refresh(), REFRESH_MS);
  }

  /** Show the events that pass this filter. */
  choose(filter) {
    this.#filter = filter;
    for (const name of ["type", "severity", "source"]) this.#form.elements[name].value = filter[name] ?? "";
    this.#load();
  }

  #apply() {
    clearTimeout(this.#typing);
    this.#typing = 0;
    const chosen = {};
    for (const name of ["type", "severity", "source"]) {
      const value = this.#form.elements[name].value;
      if (value) chosen[name] = value;
    }
    if (JSON.stringify(chosen) === JSON.stringify(this.#filter)) return;
    this.#filter = chosen;
    this.#changed(chosen);
    this.#load();
  }

  #refresh() {
    const open = byId("events").querySelector("details[open]");
    const paused = this.#older ? "older ones" : open ? "paused while one is open" : "";
    setText(byId("events-state"), paused);
    if (document.hidden || paused || this.#typing || byId("panel-events").hidden) return;
    this.#load();
  }

  async #load(cursor = null) {
    const asked = ++this.#asked;
    const parameters = { limit: LIMIT, ...this.#filter };
    if (cursor) parameters.cursor = cursor;
    let page;
    try {
      page = await this.#api.get("events", parameters);
    } catch (error) {
      if (asked === this.#asked) showProblem(byId("events-problem"), error);
      return;
    }
    // Another filter or page has been asked for meanwhile.
    if (asked !== this.#asked) return;
    showProblem(byId("events-problem"), null);
    this.#older = cursor !== null;
    this.#next = page.next;
    this.#show(page.events);
    byId("newest").hidden = !this.#older;
    byId("older").hidden = !page.next;
  }

  #show(events) {
    const rows = new Map(events.map((event) => [event.id, this.#rows.get(event.id) ?? row(event)]));
    this.#rows = rows;
    const filtered = Object.keys(this.#filter).length > 0;
    const none = element("li", { class: "hint" });
    if (filtered) none.append("No events pass this filter.");
    else none.append("No events yet. ", element("code", {}, "streamflow demo"), " sends some.");
    arrange(byId("events"), rows.size ? [...rows.values()] : [none]);
  }
}

function offer(select, values) {
  select.replaceChildren(...["", ...values].map((value) => new Option(value || "all", value)));
}

/** An event in a line, which opens to all of it. */
function row(event) {
  const when = new Date(event.timestamp);
  const user = event.user_id ? element("span", { class: "user" }, event.user_id) : "";
  const line = element(
    "summary",
    {},
    element("time", { dateTime: event.timestamp, title: event.timestamp }, time(when)),
    element("span", { class: "badge", data: { level: event.severity } }, event.severity),
    element("span", { class: "type" }, event.type),
    element("span", { class: "source" }, event.source),
    user,
  );
  const all = element("details", {}, line);
  all.ontoggle = () => {
    if (all.open && all.children.length === 1) all.append(element("pre", {}, JSON.stringify(event, null, 2)));
  };
  return element("li", {}, all);
}
