// The panel of open alerts: what is open when the page is opened, and then each change as it is told.

import { arrange, byId, element, setText, showProblem } from "./elements.js";
import { time, value } from "./format.js";

const NEWS = { fired: "fired", acknowledged: "was acknowledged", escalated: "was escalated", resolved: "was resolved" };
const LEVELS = ["critical", "high", "medium", "low"];
const MOST = 200;
const AGAIN_SECONDS = 5;

export class Alerts {
  #api;
  #mayWrite;
  #known = new Map();
  #rows = new Map();
  #asked = new Set();
  #loaded = false;

  constructor(api, mayWrite) {
    this.#api = api;
    this.#mayWrite = mayWrite;
  }

  /** Ask for all that are open; what is told meanwhile is kept where it is newer. */
  async load() {
    const known = (this.#known = new Map());
    this.#loaded = false;
    try {
      const states = ["firing", "acknowledged"];
      const asked = states.map((state) => this.#api.get("alerts", { state, limit: MOST }));
      const pages = await Promise.all(asked);
      // It was lost and found again meanwhile, and another call is at it.
      if (known !== this.#known) return;
      for (const alert of pages.flatMap((page) => page.alerts)) this.#learn(alert);
      this.#loaded = true;
      showProblem(byId("alerts-problem"), null);
    } catch (error) {
      if (known !== this.#known) return;
      showProblem(byId("alerts-problem"), error, `Trying again in ${AGAIN_SECONDS} s.`);
      setTimeout(() => known === this.#known && this.load(), AGAIN_SECONDS * 1000);
      return;
    }
    this.#show();
  }

  /** An alert has changed. */
  tell({ alert, change }) {
    this.#learn(alert);
    setText(byId("alert-news"), `Alert ${alert.rule_name} ${NEWS[change]}.`);
    this.#show();
  }

  #learn(alert) {
    const before = this.#known.get(alert.id);
    if (!before || before.version < alert.version) this.#known.set(alert.id, alert);
  }

  #show() {
    if (!this.#loaded) return;
    const open = [...this.#known.values()].filter((alert) => alert.state !== "resolved");
    open.sort((one, other) => urgency(one) - urgency(other) || other.fired_at.localeCompare(one.fired_at));
    const rows = open.map((alert) => this.#row(alert));
    const focused = document.activeElement?.closest("#alerts .alert");
    const place = [...byId("alerts").children].indexOf(focused);
    for (const id of this.#rows.keys()) if (!open.some((alert) => alert.id === id)) this.#rows.delete(id);
    const none = element("li", { class: "hint" }, "No alerts are open.");
    arrange(byId("alerts"), rows.length ? rows : [none]);
    // Who resolved one by the keyboard goes on with the one that takes its place.
    if (focused && !focused.isConnected) {
      const next = rows[Math.min(place, rows.length - 1)];
      (next?.querySelector("button:enabled:not([hidden])") ?? byId("title-alerts")).focus();
    }
    setText(byId("alert-count"), open.length ? String(open.length) : "");
    document.title = open.length ? `(${open.length}) StreamFlow` : "StreamFlow";
  }

  #row(alert) {
    const kept = this.#rows.get(alert.id);
    if (kept?.version === alert.version) return kept.row;
    const had = kept?.row.contains(document.activeElement);
    const row = this.#made(alert);
    this.#rows.set(alert.id, { version: alert.version, row });
    if (kept) kept.row.replaceWith(row);
    if (had) row.querySelector("button:enabled:not([hidden])")?.focus();
    return row;
  }

  #made(alert) {
    const looked = alert.acknowledged_by ? ` · with ${alert.acknowledged_by}` : "";
    const about = element(
      "p",
      {},
      element("code", {}, alert.condition),
      ` · was ${value(alert.value)} · since `,
      element("time", { dateTime: alert.fired_at }, time(new Date(alert.fired_at))),
      looked,
    );
    const acknowledge = this.#button(alert, "acknowledge", "Acknowledge");
    acknowledge.hidden = alert.state !== "firing";
    return element(
      "li",
      { class: "alert", data: { level: alert.level, state: alert.state } },
      element("span", { class: "badge", data: { level: alert.level } }, alert.level),
      element("strong", {}, alert.rule_name),
      about,
      element("p", { class: "buttons" }, acknowledge, this.#button(alert, "resolve", "Resolve")),
    );
  }

  async #ask(alert, verb) {
    // A button that were disabled meanwhile would lose the focus.
    if (this.#asked.has(alert.id)) return;
    this.#asked.add(alert.id);
    try {
      this.#learn(await this.#api.post(`alerts/${alert.id}/${verb}`));
      showProblem(byId("alerts-problem"), null);
      this.#show();
    } catch (error) {
      showProblem(byId("alerts-problem"), error);
    }
    this.#asked.delete(alert.id);
  }

  #button(alert, verb, text) {
    const button = element("button", { type: "button", disabled: !this.#mayWrite }, text);
    button.setAttribute("aria-label", `${text} ${alert.rule_name}`);
    button.onclick = () => this.#ask(alert, verb);
    return button;
  }
}

function urgency(alert) {
  return (alert.state === "firing" ? 0 : LEVELS.length) + LEVELS.indexOf(alert.level);
}
