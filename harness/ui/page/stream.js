// The server's stream of updates, and whether the page is connected to it.

import { announce, find, make, write } from "./dom.js";
import { draw } from "./draw.js";
import { picture } from "./picture.js";
import { saga } from "./state.js";
import { timeline } from "./timeline.js";

const READ_MILLISECONDS = 4000; // an announcement is left to be read for so long
const OVERDUE_MILLISECONDS = 2000; // orders that become overdue are gathered for so long
const SILENT_MILLISECONDS = 16000; // the server sends something every five seconds

let lastReceived = Date.now();
let isConnected = false;

export function connect() {
  const source = new EventSource("/live");
  source.onmessage = (message) => {
    received();
    take(JSON.parse(message.data));
  };
  source.addEventListener("beat", received);
  source.onerror = () => {
    setConnected(false);
    // A browser tries again by itself, unless it was answered with an error.
    if (source.readyState === EventSource.CLOSED) setTimeout(connect, 1000);
  };
  const watching = setInterval(() => {
    if (source.readyState === EventSource.CLOSED) clearInterval(watching);
    else if (Date.now() - lastReceived > SILENT_MILLISECONDS) {
      clearInterval(watching);
      source.close();
      setConnected(false);
      connect();
    }
  }, 1000);
}

function received() {
  lastReceived = Date.now();
  setConnected(true);
}

function setConnected(now) {
  if (now !== isConnected) {
    isConnected = now;
    drawConnection();
  }
}

function take(update) {
  if (update.whole) {
    saga.orders.clear();
    saga.events = {};
  }
  if ("isThere" in update) saga.isThere = update.isThere;
  if (update.apiUrl) saga.apiUrl = update.apiUrl;
  if (update.overdueSeconds) saga.overdueSeconds = update.overdueSeconds;
  if (update.environment) saga.environment = update.environment;
  if (update.change) takeChange(update.change, update.whole);
  if (update.whole) {
    timeline.refresh();
    drawConnection();
  }
  if ("isThere" in update) drawConnection();
  draw();
}

function takeChange(change, isWhole) {
  for (const row of change.orders) {
    row.state = row.ended ? row.outcome : row.overdue ? "overdue" : "open";
    saga.orders.set(row.orderId, row);
    if (row.orderId === saga.chosen) timeline.refresh();
  }
  for (const orderId of change.gone) saga.orders.delete(orderId);
  if (!isWhole) {
    for (const [event, times] of Object.entries(change.events)) {
      if (times > (saga.events[event] ?? 0)) picture.light(event);
    }
    if (change.overdue > saga.overdue) announceOverdue();
  }
  saga.events = change.events;
  saga.statuses = change.statuses;
  saga.overdue = change.overdue;
}

/** Announce how many are overdue: many together, and not over the message just before. */
function announceOverdue(wait = OVERDUE_MILLISECONDS) {
  if (announceOverdue.timer) return;
  announceOverdue.timer = setTimeout(() => {
    announceOverdue.timer = null;
    const left = READ_MILLISECONDS - (Date.now() - announce.at);
    if (left > 0) announceOverdue(left);
    else if (saga.overdue) announce(`${saga.overdue} ${saga.overdue === 1 ? "order is" : "orders are"} overdue.`, "error");
  }, wait);
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
