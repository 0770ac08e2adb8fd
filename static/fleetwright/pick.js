// A box in the head of a list that picks and unpicks the whole page. Without this script each row still has its own.
"use strict";

for (const form of document.querySelectorAll("[data-pick]")) {
  const head = form.querySelector("[data-pick-all]");
  const rows = [...form.querySelectorAll("tbody input[type=checkbox]")];
  if (!head || rows.length === 0) continue;
  head.hidden = false;
  const show = () => {
    const picked = rows.filter((row) => row.checked).length;
    head.checked = picked === rows.length;
    head.indeterminate = picked > 0 && picked < rows.length;
  };
  head.addEventListener("change", () => {
    for (const row of rows) row.checked = head.checked;
    show();
  });
  for (const row of rows) row.addEventListener("change", show);
  show();
}
