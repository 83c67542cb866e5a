// One piece of work: its title, how far it is, how it ended, and a button to stop it. All text is text, never markup.

const MARKS = { done: "✓ ", failed: "✗ ", cancelled: "◦ " };

function make(parent, tag, className = "", attributes = {}) {
  const node = parent.appendChild(document.createElement(tag));
  node.className = className;
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

function render({ model, el }) {
  const root = make(el, "div", "investigate-job");
  const box = make(root, "div", "box");
  const head = make(box, "div", "head");
  const title = make(head, "strong");
  const stop = make(head, "button", "", { type: "button" });
  const bar = make(box, "progress", "", { max: "1" });
  const detail = make(box, "div", "detail");
  // Only beginning and end are read out; how far it is can be read at any time, and would drown everything else.
  const live = make(box, "div", "", { role: "status", "aria-live": "polite" });
  const message = make(live, "div", "message");
  const hint = make(live, "div", "hint");

  stop.addEventListener("click", () => model.send({ do: "cancel" }));

  function draw() {
    const state = model.get("state");
    const running = state === "running" || state === "cancelling";
    const fraction = model.get("fraction");
    root.dataset.state = state;
    title.textContent = model.get("title");
    stop.hidden = bar.hidden = detail.hidden = !running;
    stop.disabled = state === "cancelling";
    stop.textContent = state === "cancelling" ? "Stopping…" : "Cancel";
    stop.setAttribute("aria-label", `Cancel: ${model.get("title")}`);
    bar.setAttribute("aria-label", model.get("title"));
    if (fraction === null) bar.removeAttribute("value");
    else bar.value = fraction;
    detail.textContent = model.get("detail") || "Beginning…";
    const said = (MARKS[state] ?? "") + model.get("message");
    if (message.textContent !== said) message.textContent = said;
    if (hint.textContent !== model.get("hint")) hint.textContent = model.get("hint");
    head.hidden = !running && !model.get("title");
  }
  model.on("change", draw);
  draw();
  return () => model.off("change", draw);
}

export { render as mount };
