/* Fields that look rows up: what stands for them on the page carries the field's label, which the widget leaves out. */
"use strict";

(function () {
  function name() {
    for (const field of document.querySelectorAll("select.admin-autocomplete")) {
      const label = document.querySelector(`label[for="${field.id}"]`);
      const shown = field.parentElement.querySelector(".select2-selection");
      if (!label || !shown) continue;
      const words = label.textContent.replace("*", "").trim();
      const parts = [shown, ...shown.querySelectorAll("[role=textbox], .select2-search__field")];
      parts.forEach((part) => part.setAttribute("aria-label", words));
      const open = document.querySelector(".select2-container--open .select2-dropdown .select2-search__field");
      if (open) open.setAttribute("aria-label", "Search");
    }
  }

  window.addEventListener("load", () => window.django?.jQuery?.(name)); /* behind the handlers that make the widgets */
  document.addEventListener("focusin", name); /* a list that opens is made then */
})();
