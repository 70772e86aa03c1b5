// Elements and the one line that is announced. What comes from an order is put in as text and
// never as markup.

const ANNOUNCED_MILLISECONDS = 9000;

export const find = (selector) => document.querySelector(selector);

/** Make an element with attributes and with children, which are elements or plain text. */
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value != null) element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

/** Set an element's text only when it differs, so that nothing is announced or drawn twice. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Set an element's text to a name that may break after each underscore. */
export function writeName(element, name) {
  if (element.textContent === name) return;
  element.replaceChildren(...name.split(/(?<=_)/).flatMap((part, index) => (index ? [make("wbr"), part] : [part])));
}

/** Announce what happened, in the one place that screen readers read aloud. */
export function announce(words, kind = "done") {
  const status = find("#announcement");
  status.dataset.kind = kind;
  status.textContent = words;
  announce.at = Date.now();
  clearTimeout(announce.timer);
  announce.timer = setTimeout(() => { status.textContent = ""; }, ANNOUNCED_MILLISECONDS);
}
announce.at = 0;

export function pretty(body) {
  try {
    return JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    return body;
  }
}
