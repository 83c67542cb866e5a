// The board of export requests. Ages and countdowns run here, second by second; the kernel is asked only when due.

const SIGNS = { requested: "… ", linked: "⇩ ", downloading: "⇩ ", collected: "✓ ", expired: "✗ ", failed: "✗ " };
const COLUMNS = ["Request", "State", "What to do next", "Link lives", "Age", "Asked for"];

function node(tag, text = "", className = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

function span(milliseconds) {
  const all = Math.max(0, Math.floor(milliseconds / 1000));
  const [days, hours, minutes, seconds] = [all / 86400, (all / 3600) % 24, (all / 60) % 60, all % 60].map(Math.floor);
  if (days) return `${days} d ${hours} h`;
  const two = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(seconds)}` : `${minutes}:${two(seconds)}`;
}

function render({ model, el }) {
  const root = el.appendChild(node("div", "", "investigate-board"));
  root.dataset.lmSuppressShortcuts = "true";
  root.tabIndex = 0; // it scrolls sideways where it is narrow
  root.setAttribute("role", "region");
  root.setAttribute("aria-label", "Export requests");
  let clocks = [];
  let asked = 0;

  function button(label, row, message) {
    const made = node("button", label);
    made.type = "button";
    made.setAttribute("aria-label", `${label}: request ${row.id}`);
    made.addEventListener("click", () => model.send({ do: message, id: row.id }));
    return made;
  }

  function draw() {
    clocks = [];
    asked = 0;
    const rows = model.get("rows");
    const focused = root.contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") : null;
    if (!rows.length) {
      root.replaceChildren(node("p", "No export was asked for yet.", "empty"));
      return;
    }
    const table = node("table");
    table.append(node("caption", "Export requests, newest first; times in UTC"));
    const head = table.createTHead().insertRow();
    for (const name of COLUMNS) {
      head.appendChild(node("th", name)).scope = "col";
    }
    const body = table.createTBody();
    for (const row of rows) body.append(line(row));
    root.replaceChildren(table);
    if (focused) root.querySelector(`[aria-label="${CSS.escape(focused)}"]`)?.focus();
    tick();
  }

  function line(row) {
    const made = node("tr");
    made.dataset.state = row.state;
    const name = made.appendChild(node("th", row.id));
    name.scope = "row";
    made.append(node("td", (SIGNS[row.state] ?? "") + row.state, "state"));
    const next = made.appendChild(node("td", row.next, "next"));
    if (row.steps.length) {
      const steps = next.appendChild(node("ol"));
      for (const step of row.steps) steps.append(node("li", step));
    }
    if (row.again) next.append(button("Request again", row, "again"));
    if (row.link) next.append(button("Paste link", row, "link"));
    const left = made.appendChild(node("td", row.expires ? "" : "–", "number"));
    if (row.expires) left.setAttribute("role", "timer");
    const age = made.appendChild(node("td", "", "number"));
    clocks.push({ row, age, left });
    const what = made.appendChild(node("td", row.window, "what"));
    what.append(node("div", row.filter, "soft"), node("div", `by ${row.by}`, "soft"));
    return made;
  }

  function tick() {
    const now = Date.now();
    for (const { row, age, left } of clocks) {
      age.textContent = span(now - Date.parse(row.asked));
      if (row.expires) {
        const rest = Date.parse(row.expires) - now;
        left.textContent = rest > 0 ? span(rest) : "over";
        left.classList.toggle("soon", rest < 15 * 60 * 1000);
      }
      // A kernel that is gone never answers: ask at most once in half a minute.
      if (row.due && now >= Date.parse(row.due) && now - asked > 30000) {
        asked = now;
        model.send({ do: "refresh" });
      }
    }
  }

  model.on("change:rows", draw);
  draw();
  const timer = setInterval(tick, 1000);
  return () => {
    clearInterval(timer);
    model.off("change:rows", draw);
  };
}

export { render as mount };
