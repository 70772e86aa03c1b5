// The panels with the services to stop and start, the stock, and the failure queues.

import { act } from "./actions.js";
import { drawCounts } from "./counts.js";
import { find, make, pretty, write } from "./dom.js";
import { emit, on, saga } from "./state.js";
import { since } from "./time.js";

const services = new Map();

export function drawEnvironment() {
  const { stock, failures, stopped } = saga.environment;
  drawCounts("#stock", stock);
  drawCounts("#failures", failures, (waiting) => waiting > 0);
  for (const service of Object.keys(failures)) {
    const known = services.get(service) ?? drawService(service);
    known.isStopped = stopped.includes(service);
    known.state.dataset.state = known.isStopped ? "stopped" : "consuming";
    write(known.state, known.isStopped ? "stopped: consumes nothing" : "consumes its events");
    write(known.button, known.isStopped ? "Start" : "Stop");
    known.button.setAttribute("aria-label", `${known.isStopped ? "Start" : "Stop"} ${service}`);
    find(`#picture [data-service="${CSS.escape(service)}"]`)?.classList.toggle("stopped", known.isStopped);
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
    `, in the queue for ${since(failure.since)}`,
    make("p", { class: "reason" }, failure.reason),
    failure.orderId ? make("button", {
      class: "link", type: "button", onclick: () => emit("choose", { orderId: failure.orderId, isToMove: true }),
    }, failure.orderId) : null,
    make("details", {}, make("summary", {}, "The message"), make("pre", { tabindex: "0" }, pretty(failure.body))))));
}

on("done", ({ what, asked, result }) => {
  if (result.failures) drawFailures(result.failures);
  if (what !== "stop" && what !== "start") return;
  const rest = saga.environment.stopped.filter((one) => one !== asked.service);
  saga.environment.stopped = what === "stop" ? [...rest, asked.service] : rest;
  drawEnvironment();
});
