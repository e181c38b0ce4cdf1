// Follows Airflow's theme, and lets links out of Airflow's frame, which does not let them out by itself.
"use strict";

const frame = (() => {
  try {
    return window.parent !== window && window.parent.document ? window.parent : null;
  } catch {
    return null; // framed by something that is not Airflow
  }
})();

function followTheme() {
  const airflow = frame.document.documentElement;
  const dark = airflow.classList.contains("dark") || airflow.style.colorScheme === "dark";
  const light = airflow.classList.contains("light") || airflow.style.colorScheme === "light";
  if (dark || light) document.documentElement.dataset.theme = dark ? "dark" : "light";
}

if (frame) {
  followTheme();
  new MutationObserver(followTheme).observe(frame.document.documentElement, {
    attributes: true,
    attributeFilter: ["class", "style"],
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-airflow], a[target]");
    if (!link || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const outside = frame.document.createElement("a");
    outside.href = link.href;
    outside.target = link.target;
    outside.rel = link.rel;
    frame.document.body.append(outside);
    outside.click();
    outside.remove();
  });
}

// After a switch has been flipped the page is a new one: who works by keyboard or ear goes on where they were.
document.addEventListener("DOMContentLoaded", () => {
  const form = location.hash.startsWith("#backmarket_") && document.getElementById(location.hash.slice(1));
  if (form) form.querySelector("[role=switch], input:not([type=hidden])")?.focus({ preventScroll: true });
});

// One check box for all of a list; without this script each is ticked by itself.
document.addEventListener("DOMContentLoaded", () => {
  for (const all of document.querySelectorAll("[data-select-all]")) {
    const boxes = [...all.closest("table").querySelectorAll("tbody input[type=checkbox]")];
    all.hidden = boxes.length < 2;
    all.addEventListener("change", () => boxes.forEach((box) => (box.checked = all.checked)));
  }
});

// A file may be dropped on its form, and is weighed before it is sent; without this script it is chosen and sent.
document.addEventListener("DOMContentLoaded", () => {
  const form = document.querySelector("form[data-drop]");
  if (!form) return;
  const field = form.querySelector("input[type=file]");
  form.querySelector("[data-drop-hint]").hidden = false;
  field.addEventListener("change", () => {
    const isTooLarge = field.files.length > 0 && field.files[0].size > Number(field.dataset.mostBytes);
    field.setCustomValidity(isTooLarge ? field.dataset.tooLarge : "");
    field.reportValidity();
  });
  form.addEventListener("dragover", (event) => {
    event.preventDefault();
    form.classList.add("over");
  });
  form.addEventListener("dragleave", () => form.classList.remove("over"));
  form.addEventListener("drop", (event) => {
    event.preventDefault();
    form.classList.remove("over");
    if (event.dataTransfer.files.length === 0) return;
    const one = new DataTransfer();
    one.items.add(event.dataTransfer.files[0]);
    field.files = one.files;
    field.dispatchEvent(new Event("change"));
  });
});
