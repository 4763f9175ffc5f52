// The keyboard of the case page: rows of codes that are typed, found, moved and dropped. All texts come
// from the page; without this script the page still works, by its button.
(function () {
  "use strict";
  const form = document.getElementById("ask");
  const options = document.getElementById("options");
  const answer = document.getElementById("answer");
  let timer = 0, owner = null, chosen = -1, asked = 0;

  const later = (work, ms) => { clearTimeout(timer); timer = setTimeout(work, ms); };
  const ask = () => { if (form && window.htmx) window.htmx.trigger(form, "ask"); };
  const isCode = (node) => node instanceof HTMLInputElement && Boolean(node.closest(".codes"));

  // --- rows ---
  const rowsOf = (box) => [...box.querySelectorAll("li[draggable]")];
  function number(box) {
    rowsOf(box).forEach((row, at) => {
      row.querySelector("input").setAttribute("aria-label", at ? box.dataset.other + " " + at : box.dataset.first);
      row.querySelector(".place").textContent = at ? String(at + 1) : "★";
    });
  }
  function fresh(box, after) {
    close();
    const row = rowsOf(box)[0].cloneNode(true), input = row.querySelector("input");
    input.value = "";
    input.removeAttribute("aria-activedescendant");
    row.querySelector("output").textContent = "";
    row.className = "";
    after ? after.after(row) : box.querySelector("ol").append(row);
    number(box);
    return input;
  }
  function drop(row) {
    close();
    const box = row.closest(".codes"), rows = rowsOf(box), at = rows.indexOf(row);
    if (rows.length === 1) { row.querySelector("input").value = ""; row.querySelector("output").textContent = ""; }
    else row.remove();
    number(box);
    const left = rowsOf(box);
    left[Math.max(0, Math.min(at - 1, left.length - 1))].querySelector("input").focus();
    ask();
  }
  function move(row, by) {
    const other = by < 0 ? row.previousElementSibling : row.nextElementSibling;
    if (!other) return;
    by < 0 ? other.before(row) : other.after(row);
    number(row.closest(".codes"));
    row.querySelector("input").focus();
    ask();
  }

  // --- search as one types ---
  function close() {
    options.hidden = true; chosen = -1; asked += 1;
    form.append(options); // it is shown within a row, which may go
    if (owner) { owner.setAttribute("aria-expanded", "false"); owner.removeAttribute("aria-activedescendant"); }
  }
  function mark(at) {
    const found = [...options.querySelectorAll("[role=option]")];
    if (!found.length) return;
    chosen = (at + found.length) % found.length;
    found.forEach((item, n) => item.setAttribute("aria-selected", String(n === chosen)));
    owner.setAttribute("aria-activedescendant", found[chosen].id);
    found[chosen].scrollIntoView({ block: "nearest" });
  }
  function take(item) {
    const input = owner;
    input.value = item.dataset.code;
    input.closest("li").querySelector("output").textContent = item.dataset.name;
    close();
    input.focus();
    ask();
  }
  async function find(input) {
    const text = input.value.trim();
    if (!text) { close(); return; }
    const mine = ++asked, scheme = form.elements.a.value;
    const query = new URLSearchParams({ q: text, of: input.name, scheme: scheme });
    const got = await fetch("/codes?" + query, { headers: { "HX-Request": "true" } });
    if (mine !== asked || document.activeElement !== input || !got.ok) return;
    options.innerHTML = await got.text();
    if (mine !== asked) return;
    owner = input; chosen = -1;
    input.closest("li").append(options);
    options.hidden = false;
    input.setAttribute("aria-expanded", "true");
  }
  function pasted(input, text) {
    const parts = text.split(/[\s,，;；、|]+/).filter((part) => /^[A-Za-z0-9]/.test(part));
    if (parts.length < 2) return false;
    let at = input;
    parts.slice(0, 100).forEach((part, n) => {
      if (n) at = fresh(input.closest(".codes"), at.closest("li"));
      at.value = part;
    });
    at.focus();
    return true;
  }

  if (form) {
    document.querySelectorAll(".codes").forEach((box) => {
      number(box);
      box.querySelector(".add").addEventListener("click", () => fresh(box).focus());
    });
    form.addEventListener("input", (event) => {
      if (isCode(event.target)) later(() => { find(event.target); }, 90);
    });
    form.addEventListener("change", (event) => { if (event.target.name !== undefined) later(ask, 60); });
    form.addEventListener("paste", (event) => {
      if (isCode(event.target) && pasted(event.target, event.clipboardData.getData("text"))) {
        event.preventDefault(); close(); ask();
      }
    });
    form.addEventListener("focusout", (event) => { if (isCode(event.target)) setTimeout(() => {
      if (document.activeElement !== owner) close();
    }, 150); });
    form.addEventListener("keydown", (event) => {
      const input = event.target;
      if (!isCode(input)) return;
      const row = input.closest("li"), box = input.closest(".codes"), open = !options.hidden && owner === input;
      if (event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
        event.preventDefault(); close(); move(row, event.key === "ArrowUp" ? -1 : 1);
      } else if (open && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
        event.preventDefault(); mark(chosen + (event.key === "ArrowDown" ? 1 : -1));
      } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        const rows = [...form.querySelectorAll(".codes li input")], at = rows.indexOf(input);
        const next = rows[at + (event.key === "ArrowDown" ? 1 : -1)];
        if (next) { event.preventDefault(); next.focus(); }
      } else if (event.key === "Escape") { close();
      } else if (event.key === "Enter") {
        event.preventDefault();
        const found = options.querySelectorAll("[role=option]");
        if (open && chosen >= 0) take(found[chosen]);
        else { close(); ask(); if (input.value.trim() && row === rowsOf(box).at(-1)) fresh(box, row).focus(); }
      } else if (event.key === "Backspace" && !input.value && rowsOf(box).length > 1) {
        event.preventDefault(); close(); drop(row);
      }
    });
    options.addEventListener("mousedown", (event) => {
      const item = event.target.closest("[role=option]");
      event.preventDefault();
      if (item) take(item);
    });
    form.addEventListener("click", (event) => {
      if (event.target.closest(".drop")) drop(event.target.closest("li"));
      if (event.target.closest(".clear")) window.location.assign("/");
    });

    // --- dragging ---
    let held = null;
    form.addEventListener("dragstart", (event) => {
      held = event.target.closest ? event.target.closest(".codes li[draggable]") : null;
      if (held) { event.dataTransfer.effectAllowed = "move"; event.dataTransfer.setData("text/plain", ""); held.classList.add("held"); }
    });
    form.addEventListener("dragover", (event) => {
      const over = event.target.closest ? event.target.closest(".codes li[draggable]") : null;
      if (!held || !over || over === held || over.parentNode !== held.parentNode) return;
      event.preventDefault();
      const half = over.getBoundingClientRect();
      event.clientY < half.top + half.height / 2 ? over.before(held) : over.after(held);
    });
    form.addEventListener("drop", (event) => { if (held) event.preventDefault(); });
    form.addEventListener("dragend", () => {
      if (!held) return;
      held.classList.remove("held"); number(held.closest(".codes")); held = null; ask();
    });
  }

  // --- what came back ---
  function named() {
    document.querySelectorAll(".codes").forEach((box) => {
      let place = 0;
      rowsOf(box).forEach((row, at) => {
        const input = row.querySelector("input"), name = row.querySelector("output");
        if (input.value.trim() || at === 0) place += 1;
        const found = document.querySelector('#codes tr[data-kind="' + box.dataset.list + '"][data-position="' + place + '"]');
        const here = input.value.trim() && found;
        name.textContent = here ? found.dataset.name || found.dataset.issue : "";
        row.classList.toggle("odd", Boolean(here && found.dataset.issue));
      });
    });
  }
  if (answer) {
    named();
    document.body.addEventListener("htmx:beforeRequest", () => answer.setAttribute("aria-busy", "true"));
    document.body.addEventListener("htmx:afterSwap", () => { answer.setAttribute("aria-busy", "false"); named(); });
    answer.addEventListener("click", (event) => {
      const instead = event.target.closest(".instead"), to = event.target.closest(".to-field");
      if (event.target.closest(".print")) window.print();
      if (instead) {
        const row = instead.closest("tr"), inputs = [...form.querySelectorAll('input[name="' + row.dataset.kind + '"]')];
        const filled = inputs.filter((input, at) => input.value.trim() || at === 0);
        const input = filled[Number(row.dataset.position) - 1];
        if (input) { input.value = instead.dataset.code; ask(); input.focus(); }
      }
      if (to) {
        const field = document.getElementById(to.hash.slice(1));
        if (field) { event.preventDefault(); const box = field.closest("details"); if (box) box.open = true; field.focus(); }
        else event.preventDefault();
      }
    });
  }
  document.body.addEventListener("htmx:responseError", (event) => {
    let text = event.detail.xhr.status + "";
    try { text = JSON.parse(event.detail.xhr.responseText).error || text; } catch (error) { /* no JSON: the status says it */ }
    if (answer) { answer.setAttribute("aria-busy", "false"); const told = document.createElement("p"); told.className = "panel bad"; told.setAttribute("role", "alert"); told.textContent = text; answer.replaceChildren(told); }
  });

  // --- printing opens what is folded ---
  let opened = [];
  window.addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("#answer details:not([open])")].filter((box) => !box.classList.contains("path"));
    opened.forEach((box) => { box.open = true; });
  });
  window.addEventListener("afterprint", () => { opened.forEach((box) => { box.open = false; }); });
})();
