// The panel with one order's timeline.

import { act } from "./actions.js";
import { announce, find, make, pretty, write } from "./dom.js";
import { emit, label, on, saga } from "./state.js";
import { clock, since, span } from "./time.js";

export const timeline = {
  shown: null,
  isAsking: false,
  isStale: false,
  isToMove: false, // the focus, to the timeline: when a person chose the order in a list

  choose({ orderId, isToMove = false }) {
    saga.chosen = orderId;
    this.isToMove = isToMove;
    this.shown = null;
    history.replaceState(null, "", `#${orderId}`);
    emit("chosen");
    this.refresh();
  },

  /** Ask for what is known of the chosen order; what changes meanwhile is asked for after that. */
  async refresh() {
    if (!saga.chosen) return;
    this.isStale = true;
    if (this.isAsking) return;
    this.isAsking = true;
    while (this.isStale) {
      this.isStale = false;
      const orderId = saga.chosen;
      try {
        const response = await fetch(`/orders/${encodeURIComponent(orderId)}`);
        const found = await response.json();
        if (orderId !== saga.chosen) continue;
        if (response.ok) this.draw(found);
        else this.drawNothing(found.detail);
        if (this.isToMove) find("#timeline-title").focus();
        this.isToMove = false;
      } catch {
        // The page shows that it is not connected, and starts again when it is.
      }
    }
    this.isAsking = false;
  },

  drawNothing(words) {
    this.shown = null;
    find("#one").replaceChildren(make("p", { class: "empty" }, words));
  },

  draw(found) {
    const isOther = this.shown?.order.orderId !== found.order.orderId;
    const hadEnded = this.shown?.order.ended;
    this.shown = found;
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
    write(id, found.order.orderId);
    facts.replaceChildren(...this.facts(found.order));
    found.entries.forEach((entry, index) => {
      const key = [entry.at, entry.status, entry.event, entry.duplicate].join();
      const there = steps.children[index];
      if (there?.dataset.key !== key) {
        const item = this.step(found, index, key);
        if (there) steps.insertBefore(item, there);
        else steps.append(item);
      }
    });
    while (steps.children.length > found.entries.length) steps.lastElementChild.remove();
    this.tick();
    if (!isOther && !hadEnded && found.order.ended) {
      announce(`Order ${found.order.orderId.slice(0, 8)} ended: ${this.end(found.order)}.`);
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

  step(found, index, key) {
    const entry = found.entries[index];
    const before = found.entries[index - 1];
    const wait = before ? `+${span(entry.at - before.at)}` : "";
    const moment = new Date(entry.at);
    const item = make("li", { "data-key": key, class: entry.duplicate ? "duplicate" : entry.event ? "" : "silent" },
      make("div", { class: "step" },
        make("h3", {}, entry.event ?? entry.status),
        wait ? make("span", { class: "wait" }, wait) : null,
        make("time", { datetime: moment.toISOString() }, clock.format(moment))));
    if (!entry.event) {
      item.append(make("p", { class: "published-by" }, "no event published: read from the order's record"));
      return item;
    }
    const how = entry.duplicate
      ? `a duplicate, ${entry.same ? "the same bytes" : "and DIFFERS from the first"}`
      : `order is now ${entry.status}`;
    item.append(
      make("p", { class: "published-by" }, `published by ${entry.source} · ${how}`),
      make("div", { class: "aside" },
        make("details", {}, make("summary", {}, "Its body on the bus"), make("pre", { tabindex: "0" }, pretty(entry.body))),
        entry.duplicate ? null : make("button", {
          class: "small", type: "button", "aria-label": `Redeliver ${entry.event}`,
          onclick: (press) => act(press.currentTarget, "redeliver", { orderId: found.order.orderId, event: entry.event }),
        }, "Redeliver")));
    return item;
  },

  end(order) {
    return `${order.outcome}${order.reason ? `, ${order.reason}` : ""}`;
  },

  /** Describe the order's state, again each second. */
  tick() {
    if (!this.shown) return;
    const { order, nextEvent, note } = this.shown;
    const state = saga.orders.get(order.orderId)?.state
      ?? (order.ended ? order.outcome : order.overdue ? "overdue" : "open");
    const verdict = find("#one .verdict");
    verdict.dataset.state = state;
    verdict.firstElementChild.dataset.state = state;
    write(verdict.firstElementChild, label(state));
    write(verdict.lastElementChild, this.words(order, state, nextEvent, note));
  },

  words(order, state, nextEvent, note) {
    const status = order.statuses.at(-1);
    if (order.ended) {
      const reason = order.reason ? `: ${order.reason}` : "";
      return `Ended: ${status}${reason}, after ${span(order.since - order.began)}.`;
    }
    const waits = order.waitsFor
      ? `Waits for ${order.waitsFor} to consume ${nextEvent}` : `Order is now ${status}`;
    const isStopped = saga.environment.stopped.includes(order.waitsFor);
    const hint = isStopped ? ` ${order.waitsFor} is stopped: start it, then “Resume open orders”.` : "";
    if (state !== "overdue") return `${waits}, for ${since(order.since)}.${hint}`;
    const heals = hint || " “Resume open orders” publishes its last event again.";
    return `No step for ${since(order.since)}, longer than ${saga.overdueSeconds} s. `
      + `${waits}.${heals}${note ? ` The orders' API returned: ${note}` : ""}`;
  },
};

on("choose", (choice) => timeline.choose(choice));
