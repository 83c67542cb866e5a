// A field for what must not be kept: its value goes to the kernel as a message, never into the widget's state, and the
// field is empty again at once.

function render({ model, el }) {
  const root = el.appendChild(document.createElement("form"));
  root.className = "investigate-secret";
  root.autocomplete = "off";
  root.dataset.lmSuppressShortcuts = "true";
  const label = root.appendChild(document.createElement("label"));
  label.appendChild(document.createElement("span")).textContent = model.get("label");
  const input = label.appendChild(document.createElement("input"));
  Object.assign(input, { type: model.get("masked") ? "password" : "text", autocomplete: "off", spellcheck: false });
  input.placeholder = model.get("placeholder");
  input.setAttribute("data-1p-ignore", "");
  input.setAttribute("data-lpignore", "true");

  function hand(action, value) {
    input.value = "";
    if (value.trim()) model.send({ do: action, value });
  }
  for (const [action, words] of model.get("actions")) {
    const button = root.appendChild(document.createElement("button"));
    button.type = "button";
    button.textContent = words;
    button.setAttribute("aria-label", `${words}: ${model.get("label")}`);
    button.addEventListener("click", () => hand(action, input.value));
  }
  root.addEventListener("submit", (event) => {
    event.preventDefault();
    hand(model.get("actions")[0][0], input.value);
  });
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    event.stopPropagation();
    hand(model.get("actions")[0][0], input.value);
  });
  input.addEventListener("paste", (event) => {
    if (!model.get("at_once")) return;
    event.preventDefault();
    hand(model.get("actions")[0][0], event.clipboardData.getData("text"));
  });

  function focus() {
    input.scrollIntoView({ block: "center" });
    input.focus();
  }
  model.on("change:focused", focus);
  return () => model.off("change:focused", focus);
}

export { render as mount };
