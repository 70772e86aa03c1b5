// Draws all panels, once per frame.

import { drawEnvironment } from "./environment.js";
import { list } from "./orders.js";
import { picture } from "./picture.js";

let isDrawing = false;
export function draw() {
  if (isDrawing) return;
  isDrawing = true;
  requestAnimationFrame(() => {
    isDrawing = false;
    picture.draw();
    list.draw();
    drawEnvironment();
  });
}
