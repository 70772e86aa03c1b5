// A table of counts, one row for each name.

import { find, make, write } from "./dom.js";

export function drawCounts(table, counts, some = () => false) {
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
