// A grid of events of any number: the rows in sight are all the page holds. It asks for a page, an order and filters as
// plain values; the kernel makes a query of them. Every cell is text, never markup.

const ROW = 26; // pixels
const TALLEST = 6_000_000; // pixels a browser can scroll over without losing its way
const PAGE = 25; // rows, as the kernel counts them: some more than fit, for each may lie in another part of the lake
const KEPT = 160; // pages
const FORMULA = /^[ \u00a0]*[=+\-@\t\r\n|%\uff1d\uff0b\uff0d\uff20]/; // what a cell of a spreadsheet begins with that is one
const AT_ONCE = 3; // pages asked for: who drags the bar past a thousand waits for those in sight alone

export function mount({ model, el }) {
  let content = { total: 0, columns: [], order: {}, turn: -1, result: -1 };
  let shown = []; // columns in sight
  let zone = "UTC";
  let pages = new Map();
  let asked = new Set();
  let first = 0; // row at the top, a fraction while scrolling
  let above = 0; // row that was at the top before
  let at = { row: 0, column: 0 };
  let drawn = false;
  let fits = 15; // rows
  const name = unique("grid");

  const frame = framed({ model, el }, receive, hear);
  const bar = make(frame.body, "div", "bar");
  const count = make(bar, "strong", "count");
  const columns = make(bar, "details", "menu");
  make(columns, "summary", "", {}, "Columns");
  const choices = make(columns, "div", "choices", { role: "group", "aria-label": "Columns in sight" });
  const zones = make(make(bar, "label", "", {}, "Zone "), "select");
  for (const one of ["UTC", Intl.DateTimeFormat().resolvedOptions().timeZone].filter((z, i, all) => z && all.indexOf(z) === i))
    make(zones, "option", "", { value: one }, one === "UTC" ? "UTC" : one);
  zones.addEventListener("change", () => {
    zone = zones.value;
    draw();
  });
  button(bar, "Copy row", () => copyRow(), { title: "The row as text with tabs (Ctrl+C)" });
  const form = make(make(bar, "label", "", {}, "Export "), "select");
  for (const one of ["csv", "parquet", "jsonl"]) make(form, "option", "", { value: one }, one.toUpperCase());
  button(bar, "Export all rows", () => model.send({ do: "export", form: form.value }), {
    title: "Every row of this result, all columns, into the case's reports",
  });
  button(bar, "Clear filters", () => {
    filters.querySelectorAll("input").forEach((input) => (input.value = ""));
    frame.busy();
    filter();
  });

  const scroller = make(frame.body, "div", "grid", {
    role: "grid", tabindex: "0", "aria-label": "Events", "aria-multiselectable": "false",
  });
  const header = make(scroller, "div", "header", { role: "rowgroup" });
  const titles = make(header, "div", "row", { role: "row", "aria-rowindex": "1" });
  const filters = make(header, "div", "row filters", { role: "row", "aria-rowindex": "2" });
  const sheet = make(scroller, "div", "sheet", { role: "rowgroup" });
  const spacer = make(scroller, "div", "spacer", { role: "presentation" });
  const hint = make(frame.body, "p", "note", {},
    "Arrows move, Enter opens the record, s stars it, c comments. Over a column: " + HELP + ".");
  const detail = make(frame.body, "section", "detail", { hidden: "", "aria-label": "One event" });

  // In

  function receive(fresh) {
    const [other, moved] = [fresh.turn !== content.turn, fresh.result !== content.result];
    content = fresh;
    if (other) {
      pages = new Map();
      asked = new Set();
    }
    if (moved) {
      first = scroller.scrollTop = 0;
      at = { row: 0, column: at.column };
    }
    shown = content.columns.filter((column) => column.shown);
    head();
    count.textContent = `${content.total.toLocaleString("en")} event${content.total === 1 ? "" : "s"}`;
    hint.hidden = !content.columns.length;
    resize();
    draw();
  }

  function hear(message) {
    if (message?.is === "rows" && message.turn === content.turn) {
      pages.set(message.page, message.rows);
      asked.delete(message.page);
      while (pages.size > KEPT) pages.delete(pages.keys().next().value);
      draw();
    } else if (message?.is === "head" && message.problem) asked.clear();
    else if (message?.is === "detail") open(message);
    else if (message?.is === "marks") {
      for (const rows of pages.values())
        for (const row of rows) if (row.id.join() === message.id.join()) row.marks = message.marks;
      draw();
    }
  }

  // The header

  function head() {
    const widths = shown.map((column) => `${column.width}px`).join(" ");
    scroller.style.setProperty("--columns", `56px ${widths}`);
    scroller.setAttribute("aria-colcount", String(shown.length + 1));
    scroller.setAttribute("aria-rowcount", String(content.total + 2));
    const now = shown.map((column) => column.name).join();
    if (titles.dataset.now !== now) build(now);
    [...titles.children].slice(1).forEach((cell, i) => {
      const mine = content.order.column === shown[i].name;
      cell.setAttribute("aria-sort", mine ? (content.order.descending ? "descending" : "ascending") : "none");
      cell.dataset.way = mine ? (content.order.descending ? "▾" : "▴") : "";
    });
  }

  function build(now) {
    titles.dataset.now = now;
    const before = Object.fromEntries([...filters.querySelectorAll("input")].map((one) => [one.name, one.value]));
    titles.replaceChildren();
    filters.replaceChildren();
    make(titles, "div", "cell", { role: "columnheader" }, "Marks");
    make(filters, "div", "cell", { role: "gridcell" });
    for (const column of shown) {
      const cell = make(titles, "div", "cell", { role: "columnheader", title: column.doc });
      if (column.sortable) button(cell, column.name, () => sort(column.name));
      else cell.textContent = column.name;
      const input = make(make(filters, "div", "cell", { role: "gridcell" }), "input", "", {
        type: "text", name: column.name, "aria-label": `Filter ${column.name}`, title: HELP, autocomplete: "off",
        placeholder: column.type === "string" || column.type === "list" ? "contains" : ">= or <",
      });
      input.value = before[column.name] ?? "";
      let wait;
      input.addEventListener("input", () => {
        clearTimeout(wait);
        frame.busy();
        wait = setTimeout(filter, 350);
      });
    }
    choices.replaceChildren();
    for (const column of content.columns) {
      const label = make(choices, "label");
      const box = make(label, "input", "", { type: "checkbox" });
      box.checked = column.shown;
      label.append(` ${column.name}`);
      box.addEventListener("change", () => {
        const names = content.columns.filter((one) => (one === column ? box.checked : one.shown)).map((one) => one.name);
        model.send({ do: "columns", names });
      });
    }
  }

  function sort(column) {
    const mine = content.order.column === column;
    frame.busy();
    model.send({ do: "order", column, descending: mine ? !content.order.descending : column === "time" });
  }

  function filter() {
    const typed = [...filters.querySelectorAll("input")];
    const wanted = typed.map((input, i) => parse(shown[i], input.value)).filter(Boolean);
    model.send({ do: "filter", filters: wanted.filter((one) => one.value !== "") });
  }

  // The rows

  // While a theme is changed, or its cell is out of sight, the box has no height: then what fitted last still does.
  const fitting = () => {
    const room = scroller.clientHeight - header.offsetHeight;
    return room > 0 ? (fits = Math.max(1, Math.floor(room / ROW))) : fits;
  };
  const lowest = () => Math.max(0, content.total - fitting());
  const tall = () => Math.min(content.total * ROW, TALLEST);
  const slack = () => Math.max(1, scroller.scrollHeight - scroller.clientHeight);

  function resize() {
    sheet.style.height = `${fitting() * ROW}px`;
    spacer.style.height = `${Math.max(0, tall() - fitting() * ROW)}px`;
  }

  // Where the rows are too many for pixels of their own, the bar says how far down, and a turn of the wheel moves by rows.
  const scaled = () => content.total * ROW > TALLEST;

  function scrollTo(row) {
    first = Math.min(lowest(), Math.max(0, row));
    scroller.scrollTop = scaled() ? (first / Math.max(1, lowest())) * slack() : first * ROW;
    draw();
  }

  let expected = -1;
  scroller.addEventListener("scroll", () => {
    if (Math.abs(scroller.scrollTop - expected) <= 1) return;
    expected = -1;
    first = scaled() ? (scroller.scrollTop / slack()) * lowest() : Math.min(lowest(), scroller.scrollTop / ROW);
    draw();
  });
  scroller.addEventListener("wheel", (event) => {
    if (!scaled() || event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) return;
    event.preventDefault();
    scrollTo(first + event.deltaY / ROW);
    expected = scroller.scrollTop;
  }, { passive: false });

  function row(number) {
    return pages.get(Math.floor(number / PAGE))?.[number % PAGE];
  }

  function want(page) {
    if (page < 0 || page * PAGE >= content.total || pages.has(page) || asked.has(page) || asked.size >= AT_ONCE) return;
    asked.add(page);
    model.send({ do: "page", page, turn: content.turn });
  }

  function draw() {
    if (drawn) return;
    drawn = true;
    requestAnimationFrame(() => {
      drawn = false;
      paint();
    });
  }

  function paint() {
    const top = Math.floor(first);
    const most = Math.min(fitting() + 1, Math.max(0, content.total - top));
    while (sheet.children.length > most) sheet.lastElementChild.remove();
    while (sheet.children.length < most) make(sheet, "div", "row", { role: "row" });
    for (let i = 0; i < most; i++) paintRow(sheet.children[i], top + i);
    const [from, to] = [Math.floor(top / PAGE), Math.floor(Math.max(top, top + most - 1) / PAGE)];
    for (let page = from; page <= to; page++) want(page);
    if (top !== above && pages.has(from) && pages.has(to)) want(top > above ? to + 1 : from - 1); // where the reader goes
    above = top;
    scroller.setAttribute("aria-activedescendant", `${name}-${at.row}-${at.column}`);
  }

  function paintRow(node, number) {
    const held = row(number);
    node.setAttribute("aria-rowindex", String(number + 3));
    node.classList.toggle("here", number === at.row);
    node.classList.toggle("loading", !held);
    node.dataset.number = String(number);
    while (node.children.length > shown.length + 1) node.lastElementChild.remove();
    while (node.children.length < shown.length + 1) make(node, "div", "cell", { role: "gridcell" });
    for (let i = 0; i <= shown.length; i++) {
      const cell = node.children[i];
      cell.id = `${name}-${number}-${i}`;
      const text = !held ? (i === 1 ? "…" : "") : i ? value(held, shown[i - 1]) : marks(held);
      if (cell.textContent !== text) cell.textContent = text;
      cell.classList.toggle("here", number === at.row && i === at.column);
      cell.title = text.length > 30 ? text : "";
    }
    node.children[0].setAttribute("aria-label", held ? spoken(held) : "");
  }

  function value(held, column) {
    const given = held.cells[content.columns.indexOf(column)];
    if (given === null || given === undefined) return "";
    return column.type === "timestamp" ? moment(given, zone) : String(given);
  }

  const marks = ({ marks: m }) => (m ? `${m.starred ? "★" : ""}${m.tags.length ? "#" : ""}${m.comments ? "✎" : ""}` : "");
  const spoken = ({ marks: m }) =>
    m ? [m.starred && "starred", m.tags.length && `tags ${m.tags.join(", ")}`, m.comments && `${m.comments} comments`].filter(Boolean).join(", ") || "no marks" : "no marks";

  // The keyboard and the mouse

  function go(to, column) {
    at = {
      row: Math.min(Math.max(0, content.total - 1), Math.max(0, to)),
      column: Math.min(shown.length, Math.max(0, column)),
    };
    if (at.row < Math.ceil(first)) scrollTo(at.row);
    else if (at.row >= Math.floor(first) + fitting()) scrollTo(at.row - fitting() + 1);
    else draw();
    const cell = titles.children[at.column];
    const left = cell.offsetLeft;
    if (left < scroller.scrollLeft) scroller.scrollLeft = left;
    else if (left + cell.offsetWidth > scroller.scrollLeft + scroller.clientWidth)
      scroller.scrollLeft = left + cell.offsetWidth - scroller.clientWidth;
  }

  const moves = {
    ArrowDown: () => go(at.row + 1, at.column),
    ArrowUp: () => go(at.row - 1, at.column),
    ArrowRight: () => go(at.row, at.column + 1),
    ArrowLeft: () => go(at.row, at.column - 1),
    PageDown: () => go(at.row + fitting(), at.column),
    PageUp: () => go(at.row - fitting(), at.column),
    Home: (all) => go(all ? 0 : at.row, 0),
    End: (all) => go(all ? content.total - 1 : at.row, shown.length),
    Enter: () => look(),
    s: () => star(),
    c: () => look("comment"),
  };
  scroller.addEventListener("keydown", (event) => {
    if (event.target !== scroller || event.altKey) return;
    const command = event.ctrlKey || event.metaKey;
    if (command && event.key === "c" && !String(getSelection())) copyRow();
    else if (moves[event.key] && (!command || event.key === "Home" || event.key === "End")) moves[event.key](command);
    else return;
    event.preventDefault();
  });
  sheet.addEventListener("click", (event) => {
    const node = event.target.closest(".row");
    if (!node) return;
    const column = [...node.children].indexOf(event.target.closest(".cell"));
    at = { row: Number(node.dataset.number), column: Math.max(0, column) };
    scroller.focus({ preventScroll: true });
    if (column === 0) star();
    else look();
    draw();
  });

  async function copyRow() {
    const held = row(at.row);
    if (!held) return;
    const done = await copy(shown.map((column) => defused(value(held, column))).join("\t"));
    frame.note(done ? "Copied." : "The browser does not let the page copy.");
  }

  // What a spreadsheet would take for a formula has an apostrophe before it, as in the CSV of an export.
  function defused(text) {
    return FORMULA.test(text) ? `'${text}` : text;
  }

  function star() {
    const held = row(at.row);
    if (held) model.send({ do: "annotate", id: held.id, kind: held.marks?.starred ? "unstar" : "star", text: "" });
  }

  function look(focus = "") {
    const held = row(at.row);
    if (held) model.send({ do: "detail", id: held.id, focus });
  }

  // One event

  function open(event) {
    detail.hidden = false;
    detail.replaceChildren();
    const top = make(detail, "div", "top");
    make(top, "h5", "", {}, "One event");
    button(top, event.marks.starred ? "★ Starred" : "☆ Star", () =>
      model.send({ do: "annotate", id: event.id, kind: event.marks.starred ? "unstar" : "star", text: "", open: true }),
      { "aria-pressed": String(event.marks.starred), class: "star" });
    button(top, "Close", () => {
      detail.hidden = true;
      scroller.focus();
    });
    const list = make(detail, "dl");
    for (const [label, text] of event.fields) {
      make(list, "dt", "", {}, label);
      make(list, "dd", "", {}, label === "time" ? `${moment(text, "UTC")}${zone === "UTC" ? "" : `  (${moment(text, zone)})`}` : text);
    }
    make(detail, "h6", "", {}, "Record as the vendor wrote it");
    make(detail, "pre", "raw", { tabindex: "0", "aria-label": "Raw record" }, event.raw);
    make(detail, "p", "evidence", {}, event.evidence);
    said(event);
    if (event.focus) detail.querySelector("textarea")?.focus();
    else if (event.focus === "") top.querySelector("button").focus();
  }

  function said(event) {
    const tags = make(detail, "div", "tags");
    for (const tag of event.marks.tags)
      button(tags, `#${tag} ×`, () => model.send({ do: "annotate", id: event.id, kind: "untag", text: tag, open: true }), {
        "aria-label": `Remove tag ${tag}`,
      });
    const form = make(detail, "form", "say");
    const tag = make(make(form, "label", "", {}, "Tag "), "input", "", { type: "text", maxlength: "80" });
    button(form, "Add tag", () => tag.value.trim() && model.send({ do: "annotate", id: event.id, kind: "tag", text: tag.value, open: true }));
    const text = make(make(form, "label", "", {}, "Comment "), "textarea", "", { rows: "2", maxlength: "10000" });
    button(form, "Add comment", () => text.value.trim() && model.send({ do: "annotate", id: event.id, kind: "comment", text: text.value, open: true }));
    form.addEventListener("submit", (submitted) => submitted.preventDefault());
    const log = make(detail, "ol", "comments", { "aria-label": "What was said of it" });
    for (const one of event.said) {
      const item = make(log, "li");
      make(item, "span", "who", {}, `${moment(one.time, zone)} ${one.author}`);
      make(item, "span", "what", {}, one.kind === "comment" ? one.text : `${one.kind} ${one.text}`);
    }
  }

  // A notebook takes cells out of sight out of the page, and the place a box was scrolled to is lost with it.
  const resized = new ResizeObserver(() => {
    if (!scroller.clientHeight) return;
    resize();
    scrollTo(first);
  });
  resized.observe(scroller);
  model.send({ do: "hello" });
  return () => {
    resized.disconnect();
    frame.end();
  };
}
