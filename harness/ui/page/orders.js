// The panel with the list of orders, and its filters.

import { find, make, write, writeName } from "./dom.js";
import { emit, label, on, saga } from "./state.js";
import { since, span } from "./time.js";

const SHOWN = 100; // rows at first, and more at each "Show more"
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export const isOrderId = (text) => UUID.test(text);

export const list = {
  rows: new Map(),
  limit: SHOWN,
  isPaused: false,

  draw() {
    this.drawTally();
    if (this.isPaused) return;
    const found = this.chosen();
    const body = find("#list tbody");
    const shown = found.slice(0, this.limit);
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
    if (saga.orders.size) write(none, "No order matches.");
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
    const words = [`${open - saga.overdue} in progress`, `${saga.overdue} overdue`, `${ended} ended`];
    if (this.isPaused) words.push("the list is paused");
    write(find("#tally"), saga.orders.size ? words.join(" · ") : "");
  },

  row(order) {
    const row = make("tr", { class: "new" },
      make("th", { scope: "row" },
        make("button", { class: "link", type: "button", onclick: () => emit("choose", { orderId: order.orderId, isToMove: true }) }),
        make("span", { class: "sub" })),
      make("td", {}, make("span", { class: "state" }), make("span", { class: "sub mono" })),
      make("td", { class: "steps-column" }, make("span", { class: "dots", "aria-hidden": "true" })),
      make("td", { class: "number time" }));
    this.fill(row, order);
    return row;
  },

  fill(row, order) {
    row.order = order;
    row.dataset.state = order.state;
    row.dataset.order = order.orderId;
    const [head, state, steps] = row.cells;
    const button = head.firstElementChild;
    write(button, order.orderId.slice(0, 8));
    button.title = order.orderId;
    const what = order.sku ? `${order.customerId} · ${order.quantity} × ${order.sku}` : "known by its record only";
    write(head.lastElementChild, what);
    state.firstElementChild.dataset.state = order.state;
    write(state.firstElementChild, label(order.state));
    writeName(state.lastElementChild, order.statuses.at(-1));
    const dots = steps.firstElementChild;
    dots.toggleAttribute("data-ended", order.ended ?? false);
    while (dots.children.length < order.statuses.length) dots.append(make("i"));
    this.mark(row);
  },

  mark(row) {
    if (row.order.orderId === saga.chosen) row.setAttribute("aria-current", "true");
    else row.removeAttribute("aria-current");
  },

  tick() {
    for (const row of this.rows.values()) {
      const { order } = row;
      write(row.cells[3], order.ended ? span(order.since - order.began) : `${since(order.since)} ago`);
    }
  },
};

on("chosen", () => {
  for (const row of list.rows.values()) list.mark(row);
});
find("#which").addEventListener("change", () => list.draw());
find("#find").addEventListener("input", () => list.draw());
find("#more").addEventListener("click", () => {
  list.limit += SHOWN;
  list.draw();
});
find("#filters").addEventListener("submit", (submitted) => {
  submitted.preventDefault();
  // An order that the page has not seen may still be asked for by its id.
  const text = find("#find").value.trim();
  const [only, other] = list.chosen();
  if (isOrderId(text)) emit("choose", { orderId: text.toLowerCase(), isToMove: true });
  else if (only && !other) emit("choose", { orderId: only.orderId, isToMove: true });
});
find("#pause").addEventListener("click", () => {
  list.isPaused = !list.isPaused;
  find("#pause").setAttribute("aria-pressed", String(list.isPaused));
  list.draw();
});
