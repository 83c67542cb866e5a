// What every view has around it: its heading, what its answer covers, how it was asked, how it stands.
// Put in front of the script of each view; all text is text, never markup.

function make(parent, tag, className = "", attributes = {}, text = "") {
  const node = document.createElement(tag);
  if (className) node.className = className;
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text) node.textContent = text;
  parent?.append(node);
  return node;
}

function button(parent, text, act, attributes = {}) {
  const node = make(parent, "button", "", { type: "button", ...attributes }, text);
  node.addEventListener("click", act);
  return node;
}

let numbers = 0;
const unique = (name) => `investigate-${name}-${++numbers}`;

// The code of a cell: into the notebook where JupyterLab lets its page be reached, else onto the clipboard.
async function insertCell(code) {
  const app = globalThis.jupyterapp ?? globalThis.jupyterlab;
  const commands = app?.commands;
  if (commands?.hasCommand("notebook:insert-cell-below") && commands.hasCommand("notebook:replace-selection")) {
    await commands.execute("notebook:insert-cell-below");
    await commands.execute("notebook:enter-edit-mode");
    await commands.execute("notebook:replace-selection", { text: code });
    return "Inserted below.";
  }
  return (await copy(code)) ? "Copied: paste it into a new cell." : "Select the code under Query and copy it.";
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = make(document.body, "textarea", "", { "aria-hidden": "true", style: "position:fixed;opacity:0" });
    area.value = text;
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

// Draws the frame into `el` and calls `draw(content)` whenever there is something new inside it.
function framed({ model, el }, draw, hear = () => {}) {
  el.replaceChildren();
  const root = make(el, "section", "investigate-view", { "data-lm-suppress-shortcuts": "true" });
  const name = unique("title");
  root.setAttribute("aria-labelledby", name);
  const head = make(root, "header", "head");
  const title = make(head, "h4", "", { id: name });
  const state = make(head, "div", "state", { role: "status", "aria-live": "polite" });
  const said = make(state, "span");
  const stop = button(state, "Stop", () => model.send({ do: "stop" }));
  const tools = make(head, "div", "tools");
  const cover = make(root, "details", "coverage");
  const covered = make(cover, "summary");
  const lines = make(cover, "ul");
  const asked = make(root, "div", "query", { hidden: "" });
  const code = make(asked, "pre", "", { tabindex: "0", "aria-label": "Query" });
  const body = make(root, "div", "body");

  const query = button(tools, "Query", () => {
    asked.hidden = !asked.hidden;
    query.setAttribute("aria-expanded", String(!asked.hidden));
  }, { "aria-expanded": "false", title: "Show what was asked" });
  const insert = button(tools, "Insert as cell", async () => note(await insertCell(insert.dataset.code)), {
    title: "The same question as a cell of your own",
  });

  function note(text) {
    said.textContent = text;
  }

  // What was asked for just now, before the kernel says that it works on it.
  function busy() {
    note("Working…");
    root.setAttribute("aria-busy", "true");
  }

  function frame(message) {
    title.textContent = message.title;
    cover.hidden = !message.coverage.length;
    const odd = message.coverage.filter((line) => !/ {2}complete$/.test(line));
    cover.dataset.complete = String(!odd.length);
    covered.textContent = odd.length ? `Coverage: ${odd.length} of ${message.coverage.length} incomplete` : "Coverage: complete";
    lines.replaceChildren(...message.coverage.map((line) => make(null, "li", "", {}, line.replace(/^coverage\s+/, ""))));
    cover.open = odd.length > 0;
    code.textContent = [message.code, message.query && `# in SQL\n${message.query}`].filter(Boolean).join("\n\n");
    query.hidden = !code.textContent;
    insert.hidden = !message.code;
    insert.dataset.code = message.code;
    state.dataset.problem = String(Boolean(message.problem));
    stop.hidden = !message.working;
    note(message.problem ? message.problem.join(" ") : message.status);
    root.setAttribute("aria-busy", String(!stop.hidden));
  }

  function receive(message, buffers) {
    if (message?.is === "head" || message?.is === "show") frame(message);
    if (message?.is === "show") draw(message.content);
    else hear(message, buffers);
  }
  model.on("msg:custom", receive);
  return { root, body, tools, note, busy, end: () => model.off("msg:custom", receive) };
}
