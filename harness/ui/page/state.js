// What the page has of the saga; the panels draw it, and know of each other by these events alone:
//   choose   an order was chosen: { orderId, isToMove }, the focus too
//   chosen   saga.chosen has changed
//   done     a button has done something: { what, asked, result }

export const saga = {
  orders: new Map(),
  events: {},
  statuses: {},
  overdue: 0,
  overdueSeconds: 10,
  environment: { stock: {}, failures: {}, stopped: [] },
  isThere: null,
  apiUrl: null,
  chosen: null, // the id of the order in the timeline
};

const LABELS = { open: "in progress" };

/** The words for the state of an order: its outcome once it has ended, else open or overdue. */
export function label(state) {
  return LABELS[state] ?? state;
}

export const emit = (name, detail = {}) => document.dispatchEvent(new CustomEvent(name, { detail }));
export const on = (name, then) => document.addEventListener(name, (event) => then(event.detail));
