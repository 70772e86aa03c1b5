// The page: draws what the server tells of the saga. Whatever comes from an order is put in as
// text and never as markup.

const KINDS = {
  SHIPPING_SCHEDULED: "shipped",
  INVENTORY_FAILED: "refused",
  INVENTORY_RELEASED: "given back",
};
const WORDS = { open: "on its way" };
const SHOWN = 100; // rows at first, and more at each "Show more"
const LIT_MILLISECONDS = 1200; // an arrow, after its event has passed
const SAID_MILLISECONDS = 9000;
const READ_MILLISECONDS = 4000; // what was said is left to be read for so long
const OVERDUE_MILLISECONDS = 2000; // of orders that come to be overdue, so long is gathered
const SILENT_MILLISECONDS = 16000; // the server says something every five seconds
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

const find = (selector) => document.querySelector(selector);
const saga = {
  orders: new Map(),
  events: {},
  standing: {},
  overdue: 0,
  overdueSeconds: 10,
  around: { stock: {}, failures: {}, stopped: [] },
  isThere: null,
  apiUrl: null,
};

/** Make an element with attributes and with children, which are elements or plain text. */
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value != null) element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

/** Set an element's text only when it differs, so that nothing is said or drawn twice. */
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Set an element's text to a name that may break after each underscore. */
function writeName(element, name) {
  if (element.textContent === name) return;
  element.replaceChildren(...name.split(/(?<=_)/).flatMap((part, index) => (index ? [make("wbr"), part] : [part])));
}

/** Say what happened, in the one place that is read aloud. */
function say(words, kind = "done") {
  const said = find("#said");
  said.dataset.kind = kind;
  said.textContent = words;
  say.at = Date.now();
  clearTimeout(say.timer);
  say.timer = setTimeout(() => { said.textContent = ""; }, SAID_MILLISECONDS);
}
say.at = 0;

// Words for times

const clock = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hour12: false,
});

function span(milliseconds) {
  const ms = Math.max(0, Math.round(milliseconds));
  if (ms < 1000) return `${ms} ms`;
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** How long ago that was, to the second. */
function since(at) {
  const seconds = Math.max(0, Math.floor((Date.now() - at) / 1000));
  return seconds < 10 ? `${seconds} s` : span(seconds * 1000);
}

// The server's stream

let lastHeard = Date.now();
let isConnected = false;

function connect() {
  const source = new EventSource("/live");
  source.onmessage = (message) => {
    heard();
    take(JSON.parse(message.data));
  };
  source.addEventListener("beat", heard);
  source.onerror = () => {
    setConnected(false);
    // A browser tries again by itself, unless it was answered with an error.
    if (source.readyState === EventSource.CLOSED) setTimeout(connect, 1000);
  };
  const watching = setInterval(() => {
    if (source.readyState === EventSource.CLOSED) clearInterval(watching);
    else if (Date.now() - lastHeard > SILENT_MILLISECONDS) {
      clearInterval(watching);
      source.close();
      setConnected(false);
      connect();
    }
  }, 1000);
}

function heard() {
  lastHeard = Date.now();
  setConnected(true);
}

function setConnected(now) {
  if (now !== isConnected) {
    isConnected = now;
    drawConnection();
  }
}

function take(told) {
  if (told.whole) {
    saga.orders.clear();
    saga.events = {};
  }
  if ("isThere" in told) saga.isThere = told.isThere;
  if (told.apiUrl) saga.apiUrl = told.apiUrl;
  if (told.overdueSeconds) saga.overdueSeconds = told.overdueSeconds;
  if (told.around) saga.around = told.around;
  if (told.change) takeChange(told.change, told.whole);
  if (told.whole) {
    timeline.refresh();
    drawConnection();
  }
  if ("isThere" in told) drawConnection();
  draw();
}

function takeChange(change, isWhole) {
  for (const row of change.orders) {
    row.state = row.ended ? KINDS[row.statuses.at(-1)] : row.overdue ? "overdue" : "open";
    saga.orders.set(row.orderId, row);
    if (row.orderId === timeline.chosen) timeline.refresh();
  }
  for (const orderId of change.gone) saga.orders.delete(orderId);
  if (!isWhole) {
    for (const [event, times] of Object.entries(change.events)) {
      if (times > (saga.events[event] ?? 0)) map.light(event);
    }
    if (change.overdue > saga.overdue) sayOverdue();
  }
  saga.events = change.events;
  saga.standing = change.standing;
  saga.overdue = change.overdue;
}

/** Say how many are overdue: of many together, and not over what was said just before. */
function sayOverdue(wait = OVERDUE_MILLISECONDS) {
  if (sayOverdue.timer) return;
  sayOverdue.timer = setTimeout(() => {
    sayOverdue.timer = null;
    const left = READ_MILLISECONDS - (Date.now() - say.at);
    if (left > 0) sayOverdue(left);
    else if (saga.overdue) say(`${saga.overdue} ${saga.overdue === 1 ? "order is" : "orders are"} overdue.`, "trouble");
  }, wait);
}

let isDrawing = false;
function draw() {
  if (isDrawing) return;
  isDrawing = true;
  requestAnimationFrame(() => {
    isDrawing = false;
    map.draw();
    list.draw();
    drawAround();
  });
}

function drawConnection() {
  const connection = find("#connection");
  const words = connection.querySelector(".words");
  const away = find("#away");
  if (!isConnected) {
    connection.dataset.state = "away";
    write(words, "Not connected");
    away.replaceChildren(
      "Not connected to ", make("code", {}, "saga ui"),
      ": it was stopped, or is busy. What you see is old. Trying again …",
    );
  } else if (saga.isThere) {
    connection.dataset.state = "watching";
    write(words, `Watching ${new URL(saga.apiUrl).host}`);
    words.title = saga.apiUrl;
    away.replaceChildren();
  } else {
    connection.dataset.state = "away";
    write(words, saga.apiUrl ? "The environment is away" : "Looking for the environment …");
    if (saga.apiUrl) {
      away.replaceChildren(
        "The environment went away. Start one with ", make("code", {}, "saga up"), " (or ",
        make("code", {}, "make up"), "): this page goes on by itself.",
      );
    }
  }
}

// The map

const map = {
  timers: new Map(),

  light(event) {
    for (const arrow of document.querySelectorAll(`#map [data-event="${CSS.escape(event)}"]`)) {
      arrow.classList.add("passes");
      clearTimeout(this.timers.get(arrow));
      this.timers.set(arrow, setTimeout(() => arrow.classList.remove("passes"), LIT_MILLISECONDS));
    }
  },

  draw() {
    for (const count of document.querySelectorAll("#map [data-count]")) {
      const [kind, name] = count.dataset.count.split(":");
      const number = (kind === "event" ? saga.events : saga.standing)[name] ?? 0;
      write(count, String(number));
    }
    drawCounts("#events", saga.events);
    drawCounts("#standing", saga.standing);
  },
};

function drawCounts(table, counts, some = () => false) {
  const body = find(`${table} tbody`);
  const rows = new Map([...body.rows].map((row) => [row.dataset.name, row]));
  for (const [name, count] of Object.entries(counts)) {
    let row = rows.get(name);
    rows.delete(name);
    if (!row) {
      row = make("tr", { "data-name": name },
        make("th", { scope: "row" }, name), make("td", { class: "number" }));
      body.append(row);
    }
    write(row.cells[1], count == null ? "unknown" : count.toLocaleString("en"));
    row.cells[1].classList.toggle("some", some(count));
  }
  for (const row of rows.values()) row.remove();
}

// The list of orders

const list = {
  rows: new Map(),
  most: SHOWN,
  isPaused: false,

  draw() {
    this.drawTally();
    if (this.isPaused) return;
    const found = this.chosen();
    const body = find("#list tbody");
    const shown = found.slice(0, this.most);
    const kept = new Set(shown.map((order) => order.orderId));
    for (const [orderId, row] of this.rows) {
      if (!kept.has(orderId)) {
        row.remove();
        this.rows.delete(orderId);
      }
    }
    let place = body.firstElementChild;
    for (const order of shown) {
      let row = this.rows.get(order.orderId);
      if (!row) {
        row = this.row(order);
        this.rows.set(order.orderId, row);
      } else if (row.order !== order) this.fill(row, order);
      if (row === place) place = place.nextElementSibling;
      else body.insertBefore(row, place);
    }
    find("#more").hidden = found.length <= shown.length;
    const none = find("#none");
    none.hidden = shown.length > 0;
    if (saga.orders.size) write(none, "No order is like that.");
    this.tick();
  },

  /** The orders that the filters let through, newest first. */
  chosen() {
    const which = find("#which").value;
    const text = find("#find").value.trim().toLowerCase();
    return [...saga.orders.values()]
      .filter((order) => which === "all"
        || (which === "overdue" ? order.overdue : which === "ended" ? order.ended : !order.ended))
      .filter((order) => !text || [order.orderId, order.customerId, order.sku]
        .some((one) => one.toLowerCase().includes(text)))
      .sort((one, other) => other.number - one.number);
  },

  drawTally() {
    const ended = [...saga.orders.values()].filter((order) => order.ended).length;
    const open = saga.orders.size - ended;
    const words = [`${open - saga.overdue} on their way`, `${saga.overdue} overdue`, `${ended} ended`];
    if (this.isPaused) words.push("the list stands still");
    write(find("#tally"), saga.orders.size ? words.join(" · ") : "");
  },

  row(order) {
    const row = make("tr", { class: "new" },
      make("th", { scope: "row" },
        make("button", { class: "link", type: "button", onclick: () => timeline.choose(order.orderId, true) }),
        make("span", { class: "sub" })),
      make("td", {}, make("span", { class: "state" }), make("span", { class: "sub mono" })),
      make("td", { class: "way" }, make("span", { class: "dots", "aria-hidden": "true" })),
      make("td", { class: "number time" }));
    this.fill(row, order);
    return row;
  },

  fill(row, order) {
    row.order = order;
    row.dataset.state = order.state;
    row.dataset.order = order.orderId;
    const [head, state, way] = row.cells;
    const button = head.firstElementChild;
    write(button, order.orderId.slice(0, 8));
    button.title = order.orderId;
    const what = order.sku ? `${order.customerId} · ${order.quantity} × ${order.sku}` : "seen by its record only";
    write(head.lastElementChild, what);
    state.firstElementChild.dataset.state = order.state;
    write(state.firstElementChild, WORDS[order.state] ?? order.state);
    writeName(state.lastElementChild, order.statuses.at(-1));
    const dots = way.firstElementChild;
    dots.toggleAttribute("data-ended", order.ended ?? false);
    while (dots.children.length < order.statuses.length) dots.append(make("i"));
    this.mark(row);
  },

  mark(row) {
    if (row.order.orderId === timeline.chosen) row.setAttribute("aria-current", "true");
    else row.removeAttribute("aria-current");
  },

  tick() {
    for (const row of this.rows.values()) {
      const { order } = row;
      write(row.cells[3], order.ended ? span(order.since - order.began) : `${since(order.since)} ago`);
    }
  },
};

// One order's timeline

const timeline = {
  chosen: null,
  shown: null,
  isAsking: false,
  isStale: false,
  isToMove: false, // the focus, to the timeline: when a person chose the order in a list

  choose(orderId, isToMove = false) {
    this.chosen = orderId;
    this.isToMove = isToMove;
    this.shown = null;
    history.replaceState(null, "", `#${orderId}`);
    for (const row of list.rows.values()) list.mark(row);
    this.refresh();
  },

  /** Ask for what is known of the chosen order; what changes meanwhile is asked for after that. */
  async refresh() {
    if (!this.chosen) return;
    this.isStale = true;
    if (this.isAsking) return;
    this.isAsking = true;
    while (this.isStale) {
      this.isStale = false;
      const orderId = this.chosen;
      try {
        const answer = await fetch(`/orders/${encodeURIComponent(orderId)}`);
        const told = await answer.json();
        if (orderId !== this.chosen) continue;
        if (answer.ok) this.draw(told);
        else this.drawNothing(told.detail);
        if (this.isToMove) find("#timeline-title").focus();
        this.isToMove = false;
      } catch {
        // The page says that it is not connected, and begins anew when it is.
      }
    }
    this.isAsking = false;
  },

  drawNothing(words) {
    this.shown = null;
    find("#one").replaceChildren(make("p", { class: "empty" }, words));
  },

  draw(told) {
    const isOther = this.shown?.order.orderId !== told.order.orderId;
    const hadEnded = this.shown?.order.ended;
    this.shown = told;
    const one = find("#one");
    if (isOther) {
      one.replaceChildren(
        make("p", { class: "id" }),
        make("dl", { class: "facts" }),
        make("p", { class: "verdict" }, make("strong", { class: "state" }), make("span")),
        make("ol", { class: "steps" }),
      );
    }
    const [id, facts, , steps] = one.children;
    write(id, told.order.orderId);
    facts.replaceChildren(...this.facts(told.order));
    told.entries.forEach((entry, index) => {
      const key = [entry.at, entry.status, entry.event, entry.again].join();
      const there = steps.children[index];
      if (there?.dataset.key !== key) {
        const item = this.step(told, index, key);
        if (there) steps.insertBefore(item, there);
        else steps.append(item);
      }
    });
    while (steps.children.length > told.entries.length) steps.lastElementChild.remove();
    this.tick();
    if (!isOther && !hadEnded && told.order.ended) {
      say(`Order ${told.order.orderId.slice(0, 8)} ended: ${this.end(told.order)}.`);
    }
  },

  facts(order) {
    const facts = [
      ["Customer", order.customerId], ["SKU", order.sku], ["Quantity", order.quantity],
      ["Amount", order.amountCents && `${order.amountCents} cents`],
    ];
    return facts.filter(([, value]) => value)
      .map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value)));
  },

  step(told, index, key) {
    const entry = told.entries[index];
    const before = told.entries[index - 1];
    const wait = before ? `+${span(entry.at - before.at)}` : "";
    const moment = new Date(entry.at);
    const item = make("li", { "data-key": key, class: entry.again ? "again" : entry.event ? "" : "silent" },
      make("div", { class: "step" },
        make("h3", {}, entry.event ?? entry.status),
        wait ? make("span", { class: "wait" }, wait) : null,
        make("time", { datetime: moment.toISOString() }, clock.format(moment))));
    if (!entry.event) {
      item.append(make("p", { class: "said-by" }, "no event says so: read from the order's record"));
      return item;
    }
    const how = entry.again
      ? `crossed again, ${entry.same ? "the same to the byte" : "and DIFFERS from the first"}`
      : `so it stands at ${entry.status}`;
    item.append(
      make("p", { class: "said-by" }, `said by ${entry.source} · ${how}`),
      make("div", { class: "aside" },
        make("details", {}, make("summary", {}, "Its body on the bus"), make("pre", { tabindex: "0" }, pretty(entry.body))),
        entry.again ? null : make("button", {
          class: "small", type: "button", "aria-label": `Say ${entry.event} again`,
          onclick: (press) => act(press.currentTarget, "again", { orderId: told.order.orderId, event: entry.event }),
        }, "Say it again")));
    return item;
  },

  end(order) {
    return `${KINDS[order.statuses.at(-1)]}${order.reason ? `, ${order.reason}` : ""}`;
  },

  /** Say in words how the order stands, anew each second. */
  tick() {
    if (!this.shown) return;
    const { order, nextEvent, note } = this.shown;
    const state = saga.orders.get(order.orderId)?.state
      ?? (order.ended ? KINDS[order.statuses.at(-1)] : order.overdue ? "overdue" : "open");
    const verdict = find("#one .verdict");
    verdict.dataset.state = state;
    verdict.firstElementChild.dataset.state = state;
    write(verdict.firstElementChild, WORDS[state] ?? state);
    write(verdict.lastElementChild, this.words(order, state, nextEvent, note));
  },

  words(order, state, nextEvent, note) {
    const status = order.statuses.at(-1);
    if (order.ended) {
      const reason = order.reason ? `: ${order.reason}` : "";
      return `It ended at ${status}${reason}, after ${span(order.since - order.began)}.`;
    }
    const waits = order.waitsFor
      ? `It waits for ${order.waitsFor} to take ${nextEvent}` : `It stands at ${status}`;
    const isStopped = saga.around.stopped.includes(order.waitsFor);
    const hint = isStopped ? ` ${order.waitsFor} is stopped: start it, then “Resume open orders”.` : "";
    if (state !== "overdue") return `${waits}, for ${since(order.since)}.${hint}`;
    const heals = hint || " “Resume open orders” says its last event again.";
    return `It has stood still for ${since(order.since)}, longer than ${saga.overdueSeconds} s. `
      + `${waits}.${heals}${note ? ` The orders' API says: ${note}` : ""}`;
  },
};

function pretty(body) {
  try {
    return JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    return body;
  }
}

// Around the orders

const services = new Map();

function drawAround() {
  const { stock, failures, stopped } = saga.around;
  drawCounts("#stock", stock);
  drawCounts("#failures", failures, (waiting) => waiting > 0);
  for (const service of Object.keys(failures)) {
    const known = services.get(service) ?? drawService(service);
    known.isStopped = stopped.includes(service);
    known.state.dataset.state = known.isStopped ? "stopped" : "hears";
    write(known.state, known.isStopped ? "stopped: hears nothing" : "hears its events");
    write(known.button, known.isStopped ? "Start" : "Stop");
    known.button.setAttribute("aria-label", `${known.isStopped ? "Start" : "Stop"} ${service}`);
    find(`#map [data-service="${CSS.escape(service)}"]`)?.classList.toggle("stopped", known.isStopped);
  }
}

function drawService(service) {
  const state = make("span", { class: "state" });
  const known = { state, isStopped: false };
  known.button = make("button", {
    class: "small", type: "button",
    onclick: () => act(known.button, known.isStopped ? "start" : "stop", { service }),
  });
  find("#services").append(
    make("li", {}, make("div", {}, make("span", { class: "mono" }, service), state), known.button));
  services.set(service, known);
  return known;
}

function drawFailures(failures) {
  find("#found").replaceChildren(...failures.map((failure) => make("li", {},
    make("strong", {}, failure.kind), ` ${failure.event ?? "no event"} for `,
    make("span", { class: "mono" }, failure.service),
    `, waiting for ${since(failure.since)}`,
    make("p", { class: "reason" }, failure.reason),
    failure.orderId ? make("button", {
      class: "link", type: "button", onclick: () => timeline.choose(failure.orderId, true),
    }, failure.orderId) : null,
    make("details", {}, make("summary", {}, "What waits"), make("pre", { tabindex: "0" }, pretty(failure.body))))));
}

// The buttons

async function act(button, what, asked = {}) {
  if (button.getAttribute("aria-disabled") === "true") return;
  button.setAttribute("aria-disabled", "true");
  try {
    const answer = await fetch(`/do/${what}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(asked),
    });
    const told = await answer.json();
    if (!answer.ok) {
      say(told.detail, "trouble");
      return;
    }
    say(told.words);
    if (told.orderId) timeline.choose(told.orderId);
    if (told.failures) drawFailures(told.failures);
    if (what === "stop" || what === "start") {
      const rest = saga.around.stopped.filter((one) => one !== asked.service);
      saga.around.stopped = what === "stop" ? [...rest, asked.service] : rest;
      draw();
    }
  } catch {
    say("Not done: the page is not connected to saga ui.", "trouble");
  } finally {
    button.removeAttribute("aria-disabled");
  }
}

for (const button of document.querySelectorAll("[data-do]")) {
  button.addEventListener("click", () => {
    const asked = button.dataset.scenario ? { scenario: button.dataset.scenario } : {};
    if (button.dataset.do === "again" && timeline.chosen) asked.orderId = timeline.chosen;
    act(button, button.dataset.do, asked);
  });
}
find("#which").addEventListener("change", () => list.draw());
find("#find").addEventListener("input", () => list.draw());
find("#more").addEventListener("click", () => {
  list.most += SHOWN;
  list.draw();
});
find("#filters").addEventListener("submit", (submitted) => {
  submitted.preventDefault();
  // An order that the page has not seen may still be asked for by its id.
  const text = find("#find").value.trim();
  const [only, other] = list.chosen();
  if (UUID.test(text)) timeline.choose(text.toLowerCase(), true);
  else if (only && !other) timeline.choose(only.orderId, true);
});
find("#pause").addEventListener("click", () => {
  list.isPaused = !list.isPaused;
  find("#pause").setAttribute("aria-pressed", String(list.isPaused));
  list.draw();
});
setInterval(() => {
  if (!list.isPaused) list.tick();
  timeline.tick();
}, 1000);
addEventListener("hashchange", () => {
  const orderId = location.hash.slice(1);
  if (UUID.test(orderId)) timeline.choose(orderId);
});
if (UUID.test(location.hash.slice(1))) timeline.chosen = location.hash.slice(1);
connect();
