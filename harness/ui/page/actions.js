// What the buttons do: a button is an element with `data-do`, or calls `act`.

import { announce } from "./dom.js";
import { emit, saga } from "./state.js";

export async function act(button, what, asked = {}) {
  if (button.getAttribute("aria-disabled") === "true") return;
  button.setAttribute("aria-disabled", "true");
  try {
    const response = await fetch(`/do/${what}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(asked),
    });
    const result = await response.json();
    if (!response.ok) {
      announce(result.detail, "error");
      return;
    }
    announce(result.words);
    emit("done", { what, asked, result });
    if (result.orderId) emit("choose", { orderId: result.orderId });
  } catch {
    announce("Not done: the page is not connected to saga ui.", "error");
  } finally {
    button.removeAttribute("aria-disabled");
  }
}

for (const button of document.querySelectorAll("[data-do]")) {
  button.addEventListener("click", () => {
    const asked = button.dataset.scenario ? { scenario: button.dataset.scenario } : {};
    if (button.dataset.do === "redeliver" && saga.chosen) asked.orderId = saga.chosen;
    act(button, button.dataset.do, asked);
  });
}
