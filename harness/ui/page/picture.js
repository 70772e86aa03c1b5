// The panel with the picture of the flow: its counts, and the arrows of the events that pass.

import { drawCounts } from "./counts.js";
import { write } from "./dom.js";
import { saga } from "./state.js";

const LIT_MILLISECONDS = 1200; // an arrow, after its event has passed

export const picture = {
  timers: new Map(),

  light(event) {
    for (const arrow of document.querySelectorAll(`#picture [data-event="${CSS.escape(event)}"]`)) {
      arrow.classList.add("lit");
      clearTimeout(this.timers.get(arrow));
      this.timers.set(arrow, setTimeout(() => arrow.classList.remove("lit"), LIT_MILLISECONDS));
    }
  },

  draw() {
    for (const count of document.querySelectorAll("#picture [data-count]")) {
      const [kind, name] = count.dataset.count.split(":");
      const number = (kind === "event" ? saga.events : saga.statuses)[name] ?? 0;
      write(count, String(number));
    }
    drawCounts("#events", saga.events);
    drawCounts("#statuses", saga.statuses);
  },
};
