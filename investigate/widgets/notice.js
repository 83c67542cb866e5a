// Lines of text that assistive technology reads out when they change. Text is text, never markup.

const SIGNS = { good: "✓ ", warn: "⚠ Warning: ", bad: "✗ " };

function render({ model, el }) {
  const root = el.appendChild(document.createElement("div"));
  root.className = "investigate-notice";
  root.setAttribute("role", "status");
  root.setAttribute("aria-live", "polite");

  function draw() {
    const lines = model.get("lines").map(([kind, text]) => {
      const line = document.createElement("div");
      line.className = kind;
      line.textContent = (SIGNS[kind] ?? "") + text;
      return line;
    });
    root.replaceChildren(...lines);
  }
  model.on("change:lines", draw);
  draw();
  // A notebook in command mode would take the keys that forms need: Enter on a button, arrows in a list.
  requestAnimationFrame(() => {
    const output = el.closest(".jp-OutputArea-output");
    if (output) output.dataset.lmSuppressShortcuts = "true";
  });
  return () => model.off("change:lines", draw);
}

export { render as mount };
