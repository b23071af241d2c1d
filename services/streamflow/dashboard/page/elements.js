// Making elements. Text is only ever set as text, so that nothing which came in with an event is markup.

export function byId(id) {
  return document.getElementById(id);
}

/** An element with properties (`class` and `data` included), and children: elements or text. */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  const { class: className, data, ...rest } = properties;
  if (className) made.className = className;
  Object.assign(made.dataset, data);
  Object.assign(made, rest);
  made.append(...children);
  return made;
}

/** Change a text only where it differs: a screen reader may be reading it, and a user may have selected it. */
export function setText(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

/** Make these a place's children. Those that stay aren't touched: the focus may be in them. */
export function arrange(place, children) {
  for (const child of [...place.children]) if (!children.includes(child)) child.remove();
  children.forEach((child, index) => {
    if (place.children[index] !== child) place.insertBefore(child, place.children[index] ?? null);
  });
}

/** Show what went wrong in a place for it; null hides it again. */
export function showProblem(place, error, advice = "") {
  place.hidden = !error;
  if (!error) {
    place.replaceChildren();
    return;
  }
  const details = (error.details ?? []).map((each) => `${each.path}: ${each.message}`);
  const text = [`${error.message[0].toUpperCase()}${error.message.slice(1)}`, ...details].join(" · ");
  const said = [text.replace(/[^.!?]$/, "$&."), advice].filter(Boolean).join(" ");
  const traced = error.correlationId ? [element("small", {}, `Correlation id ${error.correlationId}`)] : [];
  const shown = [element("span", {}, said), ...traced];
  if (shown.map((each) => each.textContent).join("") === place.textContent) return;
  place.replaceChildren(...shown);
}
