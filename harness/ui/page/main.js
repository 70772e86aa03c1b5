// The page: shows what the server sends of the saga.

import "./actions.js";
import { isOrderId, list } from "./orders.js";
import { connect } from "./stream.js";
import { emit, saga } from "./state.js";
import { timeline } from "./timeline.js";

setInterval(() => {
  if (!list.isPaused) list.tick();
  timeline.tick();
}, 1000);
addEventListener("hashchange", () => {
  const orderId = location.hash.slice(1);
  if (isOrderId(orderId)) emit("choose", { orderId });
});
if (isOrderId(location.hash.slice(1))) saga.chosen = location.hash.slice(1);
connect();
