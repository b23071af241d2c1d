// The panels of figures: rate, errors, latency, sources and types. They show the running window of the kind that was
// chosen as it is told, and the windows before it as they are asked for.

import { Chart } from "./chart.js";
import { byId, element, setText, showProblem } from "./elements.js";
import { compact, count, counted, hourAndMinute, milliseconds, percent, rate } from "./format.js";

const LIVE_SECONDS = 120;
const REFRESH_SECONDS = 15;
const RANKED = 8;
/** How many windows are asked for, and what they are called. */
const HISTORIES = {
  "1m": { periods: 60, title: "By the minute", seconds: 60 },
  "5m": { periods: 72, title: "By five minutes", seconds: 300 },
  "1h": { periods: 48, title: "By the hour", seconds: 3600 },
};
/** A young platform's few windows aren't lost at the edge of a chart. */
const FEWEST = 12;

export class Figures {
  #api;
  #window = "1m";
  #points = [];
  #samples = [[], []];
  #told = null;
  #charts = {
    live: new Chart(byId("chart-live"), {
      series: [["rate", "--blue"]], text: (value) => `${rate(value)}/s`, label: compact, least: 1, filled: true,
    }),
    rate: new Chart(byId("chart-rate"), {
      series: [["rate", "--blue"]], text: (value) => `${rate(value)}/s`, label: compact, least: 1, bars: true,
    }),
    errors: new Chart(byId("chart-errors"), {
      series: [["errors", "--red"]], text: percent, label: (share) => `${+(share * 100).toFixed(2)}%`, least: 0.01,
      bars: true,
    }),
    latency: new Chart(byId("chart-latency"), {
      series: [["p50", "--blue"], ["p95", "--violet"], ["p99", "--amber"]], text: milliseconds, label: compact, least: 10,
    }),
  };

  constructor(api) {
    this.#api = api;
    setInterval(() => document.hidden || this.load(), REFRESH_SECONDS * 1000);
  }

  /** Show windows of this kind from now on. */
  choose(window) {
    if (window === this.#window && this.#points.length) return;
    this.#window = window;
    this.#points = [];
    for (const name of ["rate", "errors", "latency"]) setText(byId(`span-${name}`), HISTORIES[window].title);
    if (this.#told) this.#draw();
    this.load();
  }

  /** Ask for the windows before the running one. */
  async load() {
    const window = this.#window;
    try {
      const parameters = { window, periods: HISTORIES[window].periods };
      const { points } = await this.#api.get("metrics/historical", parameters);
      if (window !== this.#window) return;
      this.#points = points;
      showProblem(byId("history-problem"), null);
    } catch (error) {
      showProblem(byId("history-problem"), error);
      return;
    }
    if (this.#told) this.#draw();
  }

  /** Show what was told of this moment. */
  tell(told) {
    const before = this.#told?.windows[this.#window].start;
    this.#told = told;
    this.#sample(Date.parse(told.at) / 1000, told.events_per_second);
    this.#draw();
    if (before && before !== told.windows[this.#window].start) this.load();
  }

  /** Nothing is known of the time until it is told again. */
  interrupted() {
    const [moments, rates] = this.#samples;
    if (rates.length && rates.at(-1) !== null) {
      moments.push(moments.at(-1) + 0.001);
      rates.push(null);
    }
  }

  #sample(at, value) {
    const [moments, rates] = this.#samples;
    if (moments.length && at <= moments.at(-1)) return;
    moments.push(at);
    rates.push(value);
    const kept = moments.findIndex((moment) => moment >= at - LIVE_SECONDS - 5);
    moments.splice(0, kept);
    rates.splice(0, kept);
    this.#charts.live.show(at - LIVE_SECONDS, at, this.#samples);
  }

  #draw() {
    const running = this.#told.windows[this.#window];
    const since = hourAndMinute(Date.parse(running.start));
    const some = running.count > 0;
    setText(byId("rate"), rate(this.#told.events_per_second));
    setText(
      byId("rate-aside"),
      `${counted(running.count, "event")} since ${since} · ${counted(running.unique_users, "user")}`,
    );
    setText(byId("errors"), some ? percent(running.error_rate) : "–");
    const errors = `${count(running.errors)} of ${count(running.count)} since ${since}`;
    setText(byId("errors-aside"), some ? errors : `No events since ${since}`);
    for (const name of ["p50", "p95", "p99"]) setText(byId(name), milliseconds(running.latency[name]));
    setText(byId("latency-aside"), running.latency.p50 === null ? `None told since ${since}` : `Since ${since}`);
    rank(byId("sources"), running.by_source, running.count, since);
    rank(byId("types"), running.by_type, running.count, since);
    this.#drawHistory(running);
  }

  #drawHistory(running) {
    if (!this.#points.length) return;
    const points = this.#points.filter((point) => point.start < running.start);
    const { seconds } = HISTORIES[this.#window];
    const passed = Math.max(1, (Date.parse(this.#told.at) - Date.parse(running.start)) / 1000);
    points.push({ ...running, events_per_second: running.count / Math.min(passed, seconds) });
    const first = points.findIndex((point) => point.count > 0);
    const shown = points.slice(Math.min(first < 0 ? points.length : first, Math.max(0, points.length - FEWEST)));
    const from = Date.parse(shown[0].start) / 1000;
    const to = Date.parse(running.start) / 1000 + seconds;
    const starts = shown.map((point) => Date.parse(point.start) / 1000);
    const middles = starts.map((start) => start + seconds / 2);
    const shares = shown.map((point) => (point.count ? point.errors / point.count : null));
    const percentiles = ["p50", "p95", "p99"].map((name) => shown.map((point) => point.latency[name]));
    this.#charts.rate.show(from, to, [middles, shown.map((point) => point.events_per_second)]);
    this.#charts.errors.show(from, to, [middles, shares]);
    this.#charts.latency.show(from, to, [middles, ...percentiles]);
  }
}

/** Show what is most frequent, with bars by their share. */
function rank(place, counts, total, since) {
  const ranked = Object.entries(counts).sort(([, one], [, other]) => other - one).slice(0, RANKED);
  if (!ranked.length) {
    const text = `No events since ${since}.`;
    if (place.textContent !== text) place.replaceChildren(element("li", { class: "hint" }, text));
    return;
  }
  while (place.children.length > ranked.length || place.querySelector(".hint")) place.lastChild.remove();
  while (place.children.length < ranked.length) place.append(bar());
  ranked.forEach(([name, number], index) => {
    const [label, figure, share, fill] = place.children[index].querySelectorAll("span");
    setText(label, name);
    label.title = name;
    setText(figure, count(number));
    setText(share, `${Math.round((number / total) * 100)}%`);
    fill.style.width = `${(number / ranked[0][1]) * 100}%`;
  });
}

function bar() {
  const parts = ["name", "number", "share", "fill"].map((name) => element("span", { class: name }));
  return element("li", {}, ...parts);
}
