// Numbers and moments as they are read.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const fine = new Intl.NumberFormat("en", { maximumFractionDigits: 3 });
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const minute = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const dayAndYear = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });

export const count = (number) => whole.format(number);
export const compact = (number) => short.format(number);
export const value = (number) => fine.format(number);

export const counted = (number, thing) => `${count(number)} ${thing}${number === 1 ? "" : "s"}`;

export function rate(number) {
  return number < 100 ? number.toFixed(1) : whole.format(number);
}

export function percent(share) {
  return `${(share * 100).toFixed(share < 0.1 ? 2 : 1)}%`;
}

export function milliseconds(number) {
  if (number === null) return "–";
  if (number >= 10_000) return `${whole.format(number / 1000)} s`;
  return number < 100 ? `${number.toFixed(1)} ms` : `${whole.format(number)} ms`;
}

export const hourAndMinute = (moment) => minute.format(moment);

/** The time of day, and the date where that isn't today. */
export function time(moment) {
  const now = new Date();
  const text = clock.format(moment);
  if (moment.toDateString() === now.toDateString()) return text;
  const date = moment.getFullYear() === now.getFullYear() ? day : dayAndYear;
  return `${date.format(moment)}, ${text}`;
}
