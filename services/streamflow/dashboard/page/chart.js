// Charts over time: uPlot with the page's own colours and sizes.

import uPlot from "./vendor/uPlot.esm.js";

const FONT = "11px system-ui, sans-serif";
const LABEL = 46;
const CALM = matchMedia("(prefers-reduced-motion: reduce)");
const DARK = matchMedia("(prefers-color-scheme: dark)");

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

export class Chart {
  #plot;
  #place;
  #readout;
  #span = [0, 1];
  #data;
  #due = false;
  #drawn = 0;

  /**
   * `series` are the names and colours of the lines; `text` formats a value; `least` is the smallest height of the
   * y axis; `bars` draws bars instead of lines.
   */
  constructor(place, { series, text, label = text, least, bars = false, filled = false }) {
    this.#place = place;
    this.#readout = document.createElement("p");
    this.#readout.className = "readout";
    this.#data = [[], ...series.map(() => [])];
    const axis = {
      stroke: () => colour("--muted"),
      grid: { stroke: () => colour("--line"), width: 1 },
      ticks: { show: false },
      font: FONT,
    };
    const lines = series.map(([name, variable]) => ({
      label: name,
      stroke: () => colour(variable),
      fill: bars ? () => colour(variable) : filled ? () => colour(`${variable}-soft`) : undefined,
      width: bars ? 0 : 1.75,
      paths: bars ? uPlot.paths.bars({ size: [0.7, 28], align: 0 }) : undefined,
      points: bars || filled ? { show: false } : { size: 5, fill: () => colour(variable) },
    }));
    this.#plot = new uPlot(
      {
        width: Math.max(place.clientWidth, 1),
        height: Math.max(place.clientHeight, 1),
        legend: { show: false },
        padding: [8, 4, 0, 0],
        cursor: { y: false, drag: { x: false, y: false }, points: { show: !bars } },
        scales: {
          x: { time: true, range: () => this.#span },
          y: { range: (_, __, most) => [0, Math.max(least, (most ?? 0) * 1.15)] },
        },
        axes: [
          { ...axis, grid: { show: false }, size: 24, space: LABEL + 18, values: clock },
          { ...axis, size: 46, space: 28, values: (_, splits) => splits.map(label) },
        ],
        series: [{}, ...lines],
        hooks: { setCursor: [(plot) => this.#read(plot, series, text)] },
      },
      this.#data,
      place,
    );
    place.append(this.#readout);
    new ResizeObserver(() => this.#fit()).observe(place);
    DARK.addEventListener("change", () => this.#plot.redraw());
  }

  /** Show values of a stretch of time; `data` are the moments in seconds, then a list for each line. */
  show(from, to, data) {
    this.#span = [from, to];
    this.#data = data;
    if (this.#due) return;
    this.#due = true;
    requestAnimationFrame((now) => {
      this.#due = false;
      // Where motion is unwelcome, it moves in steps of seconds.
      if (CALM.matches && now - this.#drawn < 1000) return;
      this.#drawn = now;
      this.#plot.setData(this.#data);
    });
  }

  #fit() {
    const { clientWidth: width, clientHeight: height } = this.#place;
    if (width && height) this.#plot.setSize({ width, height });
  }

  #read(plot, series, text) {
    const at = plot.cursor.idx;
    const shown = at !== null && at !== undefined && plot.cursor.left >= 0;
    const values = shown ? series.map(([name], line) => [name, plot.data[line + 1][at]]) : [];
    const known = values.filter(([, value]) => value !== null && value !== undefined);
    const told = known.map(([name, value]) => (series.length > 1 ? `${name} ${text(value)}` : text(value)));
    this.#readout.textContent = told.length ? `${moment(plot.data[0][at])} · ${told.join(" · ")}` : "";
  }
}

const minutes = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const seconds = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const days = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });

function clock(plot, splits, _, __, step) {
  const format = step < 60 ? seconds : step < 86_400 ? minutes : days;
  // There is no room for half a label beyond the end.
  const end = plot.valToPos(plot.scales.x.max, "x") - LABEL / 2;
  return splits.map((at) => (plot.valToPos(at, "x") > end ? "" : format.format(at * 1000)));
}

function moment(at) {
  return (at % 60 ? seconds : minutes).format(at * 1000);
}
