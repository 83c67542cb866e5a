// Coverage as tables of days and hours. A state is a sign and a pattern as well as a colour; arrows walk, Enter chooses.

const SIGNS = { events: "", empty: "0", provisional: "~", partial: "½", failed: "×", gap: "–", future: "" };
const GAPS = new Set(["provisional", "partial", "failed", "gap"]);
const STEPS = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -24, ArrowDown: 24 };
const HOUR = 3600 * 1000;

function node(tag, text = "", className = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

function instant(calendar, index) {
  return new Date(Date.parse(`${calendar.first}T00:00:00Z`) + index * HOUR).toISOString();
}

function render({ model, el }) {
  const root = el.appendChild(node("div", "", "investigate-coverage"));
  root.dataset.lmSuppressShortcuts = "true";
  root.tabIndex = 0; // it scrolls sideways where it is narrow
  root.setAttribute("role", "region");
  root.setAttribute("aria-label", "Coverage");
  const legend = () => model.get("legend");

  function draw() {
    const calendars = model.get("calendars");
    root.replaceChildren(key(), ...calendars.map(table));
  }

  function key() {
    const list = node("ul", "", "legend");
    list.setAttribute("aria-label", "Legend");
    for (const [state, meaning] of Object.values(legend())) {
      if (state === "future") continue;
      const item = list.appendChild(node("li"));
      const sample = item.appendChild(node("span", SIGNS[state], `cell ${state}`));
      sample.setAttribute("aria-hidden", "true");
      if (state === "events") sample.dataset.level = "3";
      item.append(node("span", meaning));
    }
    return list;
  }

  function table(calendar, which) {
    const made = node("table");
    made.setAttribute("role", "grid");
    made.append(node("caption", `${calendar.name}, hours of each day in UTC`));
    const head = made.createTHead().insertRow();
    head.append(node("td"));
    for (let hour = 0; hour < 24; hour++) {
      const cell = head.appendChild(node("th", String(hour).padStart(2, "0")));
      cell.scope = "col";
    }
    const most = Math.max(1, ...calendar.events);
    const cells = [];
    const body = made.createTBody();
    for (let at = 0; at < calendar.states.length; at++) {
      if (at % 24 === 0) {
        const row = body.insertRow();
        const day = row.appendChild(node("th", instant(calendar, at).slice(0, 10)));
        day.scope = "row";
      }
      cells.push(body.rows[body.rows.length - 1].appendChild(cell(calendar, at, most)));
    }
    const first = cells.find((one) => GAPS.has(one.dataset.state)) ?? cells[0];
    if (first) first.tabIndex = 0;
    made.addEventListener("click", (event) => choose(event.target.closest("td[data-at]")));
    made.addEventListener("keydown", (event) => {
      const from = event.target.closest("td[data-at]");
      if (!from) return;
      if (event.key === "Enter" || event.key === " ") choose(from);
      else if (event.key in STEPS) walk(cells, from, STEPS[event.key]);
      else return;
      event.preventDefault();
      event.stopPropagation();
    });

    function choose(chosen) {
      if (!chosen || !GAPS.has(chosen.dataset.state)) return;
      walk(cells, chosen, 0);
      model.send({ calendar: which, hour: instant(calendar, Number(chosen.dataset.at)) });
    }
    return made;
  }

  function walk(cells, from, step) {
    const to = cells[Number(from.dataset.at) + step];
    if (!to) return;
    for (const one of cells) if (one.tabIndex === 0) one.tabIndex = -1;
    to.tabIndex = 0;
    to.focus();
  }

  function cell(calendar, at, most) {
    const [state, meaning] = legend()[calendar.states[at]];
    const events = calendar.events[at];
    const made = node("td", SIGNS[state], `cell ${state}`);
    made.setAttribute("role", "gridcell");
    made.dataset.at = at;
    made.dataset.state = state;
    made.tabIndex = -1;
    if (events) made.dataset.level = Math.min(4, 1 + Math.floor((4 * Math.log1p(events)) / Math.log1p(most + 1)));
    const counted = events ? `, ${events.toLocaleString("en")} events` : "";
    const label = `${instant(calendar, at).slice(0, 16).replace("T", " ")} UTC: ${meaning}${counted}`;
    made.setAttribute("aria-label", GAPS.has(state) ? `${label}. Choose to collect it` : label);
    made.title = label;
    return made;
  }

  model.on("change:calendars", draw);
  draw();
  return () => model.off("change:calendars", draw);
}

export { render as mount };
