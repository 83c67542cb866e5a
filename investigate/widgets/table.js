// A short table whose rows can be chosen: with the mouse, or with the arrows, Enter and Space.

export function mount({ model, el }) {
  let content = { columns: [], rows: [], chosen: [], empty: "", note: "" };
  let sort = { at: -1, down: false };
  const frame = framed({ model, el }, (fresh) => {
    content = fresh;
    draw();
  });
  const note = make(frame.body, "p", "note");
  const box = make(frame.body, "div", "scroll", { tabindex: "0", role: "group", "aria-label": "Rows" });
  const table = make(box, "table");

  const key = (row) => JSON.stringify(row.key);

  function choose(row, add) {
    model.send({ do: "choose", key: row.key, add });
  }

  function ordered() {
    if (sort.at < 0) return content.rows;
    const way = sort.down ? -1 : 1;
    const value = (row) => row.sort?.[sort.at] ?? row.cells[sort.at];
    return [...content.rows].sort((a, b) => {
      const [x, y] = [value(a), value(b)];
      return (typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y))) * way;
    });
  }

  function heading(line, column, at) {
    const way = sort.at === at ? (sort.down ? "descending" : "ascending") : "none";
    const cell = make(line, "th", "", { scope: "col", "aria-sort": way });
    button(cell, column + (sort.at === at ? (sort.down ? " ▾" : " ▴") : ""), () => {
      sort = { at, down: sort.at === at ? !sort.down : typeof content.rows[0]?.sort?.[at] === "number" };
      draw();
      table.querySelectorAll("th button")[at].focus();
    });
  }

  function draw() {
    const held = document.activeElement?.closest?.("tr")?.dataset.key;
    const chosen = new Set(content.chosen.map((one) => JSON.stringify(one)));
    note.textContent = content.rows.length ? content.note : content.empty;
    note.hidden = !note.textContent;
    box.hidden = !content.rows.length;
    table.replaceChildren();
    const line = make(make(table, "thead"), "tr");
    content.columns.forEach((column, at) => heading(line, column, at));
    const body = make(table, "tbody");
    for (const row of ordered()) {
      const picked = chosen.has(key(row));
      const tr = make(body, "tr", picked ? "chosen" : "");
      tr.dataset.key = key(row);
      row.cells.forEach((text, at) => {
        const cell = make(tr, at ? "td" : "th", typeof row.sort?.[at] === "number" ? "number" : "", at ? {} : { scope: "row" });
        cell.title = text;
        if (at || !content.choosable) cell.textContent = text;
        else
          button(cell, text, (event) => choose(row, event.ctrlKey || event.metaKey || event.shiftKey), {
            "aria-pressed": String(picked),
            title: "Show what it touched (Ctrl adds to the choice)",
          });
      });
      if (content.choosable)
        tr.addEventListener("click", (event) => {
          if (!event.target.closest("button")) choose(row, event.ctrlKey || event.metaKey || event.shiftKey);
        });
    }
    if (held) [...body.children].find((tr) => tr.dataset.key === held)?.querySelector("button")?.focus();
  }

  table.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const now = event.target.closest("tbody tr");
    if (!step || !now) return;
    const next = step > 0 ? now.nextElementSibling : now.previousElementSibling;
    next?.querySelector("button")?.focus();
    event.preventDefault();
  });

  model.send({ do: "hello" });
  return frame.end;
}
