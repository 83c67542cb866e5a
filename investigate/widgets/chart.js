// A chart that Altair described, drawn by the Vega that Altair's offline renderer brings; nothing is fetched from anywhere
// but the kernel, and by one view of the page for all.

const vega = (globalThis.__investigateVega ??= {});

function library(model) {
  if (!vega.ready) {
    vega.ready = new Promise((resolve, reject) => {
      const receive = (message, buffers) => {
        if (message?.is !== "vega") return;
        model.off("msg:custom", receive);
        if (!buffers?.length) {
          vega.ready = undefined;
          reject(new Error(message.problem));
          return;
        }
        const address = URL.createObjectURL(new Blob(buffers, { type: "text/javascript" }));
        import(address).finally(() => URL.revokeObjectURL(address)).then((found) => resolve(found.embed), reject);
      };
      model.on("msg:custom", receive);
    });
    model.send({ do: "vega" });
  }
  return vega.ready;
}

const colour = (el, name, otherwise) => getComputedStyle(el).getPropertyValue(name).trim() || otherwise;

function theme(el) {
  const ink = colour(el, "--jp-ui-font-color1", "#222");
  const soft = colour(el, "--jp-ui-font-color2", "#555");
  const line = colour(el, "--jp-border-color2", "#ccc");
  return {
    background: "transparent",
    view: { stroke: line },
    axis: { labelColor: ink, titleColor: soft, gridColor: line, domainColor: line, tickColor: line },
    legend: { labelColor: ink, titleColor: soft },
    title: { color: ink },
    text: { color: ink },
  };
}

export function mount({ model, el }) {
  let shown;
  let content;
  let over = false;
  let drawn = 0;
  let wait;
  const frame = framed({ model, el }, (fresh) => {
    content = fresh;
    draw();
  });
  const note = make(frame.body, "p", "note");
  const box = make(frame.body, "div", "chart");
  const clear = button(frame.tools, "Clear selection", () => model.send({ do: "clear" }), { hidden: "" });
  const table = make(frame.body, "details", "as-table");
  make(table, "summary", "", {}, "As a table");
  const scroll = make(table, "div", "scroll", { tabindex: "0", role: "group", "aria-label": "The chart as a table" });

  function asTable({ columns, rows }) {
    const node = make(null, "table");
    const line = make(make(node, "thead"), "tr");
    for (const column of columns) make(line, "th", "", { scope: "col" }, column);
    const body = make(node, "tbody");
    for (const row of rows) {
      const tr = make(body, "tr");
      for (const text of row.cells) make(tr, "td", "", {}, text);
      if (row.point)
        button(tr.firstElementChild.appendChild(document.createElement("span")), "Show", () => model.send({ do: "point", value: row.point }));
    }
    scroll.replaceChildren(node);
  }

  async function draw() {
    note.textContent = content.note ?? "";
    note.hidden = !content.note;
    clear.hidden = !content.pointed;
    table.hidden = !content.table?.rows.length;
    asTable(content.table ?? { columns: [], rows: [] });
    const mine = content;
    box.hidden = !content.spec;
    if (!content.spec) return box.replaceChildren();
    const stretches = content.spec.width === "container";
    if (stretches && !box.clientWidth) {
      drawn = 0; // its cell is out of sight: it is drawn when that is seen, and as wide
      return;
    }
    let embed;
    try {
      if (!vega.ready) box.textContent = "Preparing charts…";
      embed = await library(model);
    } catch (error) {
      box.textContent = `The chart cannot be drawn: ${error.message}`;
      table.open = true;
      return;
    }
    if (over || mine !== content) return;
    shown?.finalize();
    const inner = make(null, "div", stretches ? "" : "drawn"); // of one with a brush, a pixel must stay a pixel
    box.replaceChildren(inner);
    const config = { ...mine.spec.config, ...theme(el) };
    const width = Math.max(320, box.clientWidth - 8);
    drawn = box.clientWidth;
    const spec = { ...mine.spec, config, ...(stretches ? { width } : {}) };
    shown = await embed(inner, spec, { actions: false, renderer: "svg", ast: true, tooltip: { theme: "custom" } });
    inner.querySelector("svg")?.setAttribute("aria-hidden", "true"); // every mark has a role of its own, and no name
    inner.setAttribute("role", "img");
    inner.setAttribute("aria-label", `${mine.label} The same is below as a table.`);
    for (const name of mine.signals ?? []) {
      let wait;
      shown.view.addSignalListener(name, (_, value) => {
        clearTimeout(wait);
        wait = setTimeout(() => model.send({ do: "point", value: JSON.parse(JSON.stringify(value ?? {})) }), 200);
      });
    }
  }

  const repaint = new MutationObserver(() => content && draw());
  repaint.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "data-jp-theme-name"] });
  // A chart that was not drawn while its cell was out of sight, or drawn before the window changed.
  const resized = new ResizeObserver(() => {
    clearTimeout(wait);
    const stretches = content?.spec?.width === "container";
    if (stretches && box.clientWidth && Math.abs(box.clientWidth - drawn) > 20) wait = setTimeout(draw, 150);
  });
  resized.observe(box);
  model.send({ do: "hello" });
  return () => {
    over = true;
    resized.disconnect();
    repaint.disconnect();
    shown?.finalize();
    frame.end();
  };
}
