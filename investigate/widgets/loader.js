// Asks the kernel for the view's own script instead of carrying it in its state: a saved notebook stays small.

const loaded = (globalThis.__investigate ??= new Map());

function load({ key, script }) {
  if (!loaded.has(key)) {
    const address = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
    loaded.set(key, import(address).finally(() => URL.revokeObjectURL(address)));
  }
  return loaded.get(key);
}

function dress(el, { key, style }) {
  const root = el.getRootNode() instanceof ShadowRoot ? el.getRootNode() : document.head;
  if (root.querySelector(`style[data-investigate="${key}"]`)) return;
  const sheet = document.createElement("style");
  sheet.dataset.investigate = key;
  sheet.textContent = style;
  root.append(sheet);
}

function render({ model, el }) {
  const still = document.createElement("pre");
  still.style.cssText = "overflow:auto;max-height:24em;font-size:12px";
  still.tabIndex = 0;
  const waiting = setTimeout(() => {
    still.textContent = `${model.get("still")}\n\n(As it was when it was saved: run the cell to work with it.)`;
    el.append(still);
  }, 1500);
  let over = false;
  let end;

  async function receive(message) {
    if (message?.is !== "module" || end || over) return;
    model.off("msg:custom", receive);
    clearTimeout(waiting);
    still.remove();
    dress(el, message);
    const { mount } = await load(message);
    if (!over) end = mount({ model, el });
  }
  model.on("msg:custom", receive);
  model.send({ do: "module" });
  return () => {
    over = true;
    clearTimeout(waiting);
    model.off("msg:custom", receive);
    end?.();
  };
}

export default { render };
