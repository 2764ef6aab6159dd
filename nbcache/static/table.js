// One page of entries: a table with a checkbox for each row, pages, a status line.
// All text is set as text, never as HTML. What is chosen is the kernel's to keep.

function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.includes("-") || key === "role" || key === "scope") {
      made.setAttribute(key, value);
    } else {
      made[key] = value;
    }
  }
  made.append(...children);
  return made;
}

function render({ model, el }) {
  const send = (kind, content) => model.send({ kind, ...content });

  const all = element("input", { type: "checkbox" });
  const names = element("tr");
  const body = element("tbody");
  const previous = element("button", { type: "button", textContent: "‹" });
  const next = element("button", { type: "button", textContent: "›" });
  const place = element("span");
  const status = element("div", { className: "nbcache-status", role: "status" });

  el.classList.add("nbcache-table");
  el.append(
    element(
      "div",
      { className: "nbcache-scroll" },
      element(
        "table",
        { "aria-label": "Entries of the cache" },
        element("thead", {}, names),
        body,
      ),
    ),
    element("div", { className: "nbcache-pages" }, previous, place, next),
    status,
  );
  all.setAttribute("aria-label", "Select all entries that the filter shows");
  previous.setAttribute("aria-label", "Previous page");
  next.setAttribute("aria-label", "Next page");

  all.addEventListener("change", () => send("all", { on: all.checked }));
  previous.addEventListener("click", () => send("turn", { by: -1 }));
  next.addEventListener("click", () => send("turn", { by: 1 }));
  body.addEventListener("change", (event) => {
    const row = event.target.closest("tr");
    mark(row, event.target.checked);
    send("choose", { key: row.dataset.key, on: event.target.checked });
  });
  body.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const boxes = [...body.querySelectorAll("input")];
    boxes[boxes.indexOf(event.target) + step]?.focus();
  });

  function mark(row, on) {
    row.querySelector("input").checked = on;
    row.classList.toggle("nbcache-chosen", on);
  }

  function tableRow(one, columns) {
    const box = element("input", { type: "checkbox" });
    box.setAttribute("aria-label", `Select ${one.label}`);
    const cells = columns.map((column, at) => {
      const cell = element("td", { textContent: one.cells[at] });
      if (column.form === "wide") cell.title = one.cells[at];
      cell.className = `nbcache-${column.form}`;
      return cell;
    });
    const row = element("tr", { title: one.key }, element("td", {}, box), ...cells);
    row.dataset.key = one.key;
    return row;
  }

  function draw() {
    const view = model.get("view");
    const drawn = [...body.querySelectorAll("tr[data-key]")];
    const texts = JSON.stringify(view.rows.map(({ on, ...rest }) => rest));
    if (body.dataset.texts !== texts) {
      // made anew only if the texts differ, so that a checkbox keeps the focus
      const focused = document.activeElement?.closest?.("tr")?.dataset.key;
      body.replaceChildren(...view.rows.map((one) => tableRow(one, view.columns)));
      body.dataset.texts = texts;
      if (drawn.length && focused) {
        [...body.children].find((row) => row.dataset.key === focused)
          ?.querySelector("input").focus();
      }
    }
    view.rows.forEach((one, at) => mark(body.children[at], one.on));
    if (!view.rows.length) {
      const cell = element("td", { colSpan: view.columns.length + 1 }, view.empty);
      cell.className = "nbcache-empty";
      body.replaceChildren(element("tr", {}, cell));
      delete body.dataset.texts;
    }
    all.checked = view.all === "all";
    all.indeterminate = view.all === "some";
    all.disabled = !view.rows.length;
    previous.disabled = !view.previous;
    next.disabled = !view.next;
    previous.hidden = next.hidden = !(view.previous || view.next);
    place.textContent = view.place;
  }

  function drawHead() {
    names.replaceChildren(
      element("th", { scope: "col" }, all),
      ...model.get("view").columns.map((column) => {
        const cell = element("th", { scope: "col", textContent: column.name });
        cell.className = `nbcache-${column.form}`;
        return cell;
      }),
    );
  }

  const tell = () => {
    status.textContent = model.get("status");
  };
  model.on("change:view", draw);
  model.on("change:status", tell);
  drawHead();
  draw();
  tell();

  // In JupyterLab arrows, Space and Enter steer the notebook, unless told not to.
  requestAnimationFrame(() => {
    const panel = el.closest(".nbcache-panel") ?? el;
    panel.dataset.lmSuppressShortcuts = "true";
  });
  return () => {
    model.off("change:view", draw);
    model.off("change:status", tell);
  };
}

export default { render };
