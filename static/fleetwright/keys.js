/* Keyboard shortcuts. Letters lead to what the sidebar leads to, so nobody gets further with a key than with the mouse. */
"use strict";

(function () {
  const WAIT_MS = 1500;
  const PLACES = {
    o: "/",
    a: "/updates/artifact/",
    p: "/updates/deployment/",
    h: "/updates/upgrade/",
    s: "/updates/upgrade/stuck/",
    d: "/devices/device/",
  };
  let gAt = -Infinity; /* the clock begins with the page */

  const writes = (target) => target.closest("input, textarea, select, [contenteditable], .select2-container");

  function show() {
    const dialog = document.getElementById("shortcuts");
    if (dialog && !dialog.open) dialog.showModal();
  }

  function go(path) {
    const link = document.querySelector(`#nav-sidebar a[href="${path}"]`);
    if (link) location.assign(link.href);
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || writes(event.target)) return;
    const key = event.key.toLowerCase();
    if (key === "?") show();
    else if (key === "/") {
      event.preventDefault();
      window.dispatchEvent(new CustomEvent("opencommand"));
    } else if (key === "g") gAt = event.timeStamp;
    else if (PLACES[key] && event.timeStamp - gAt < WAIT_MS) {
      gAt = -Infinity;
      go(PLACES[key]);
    }
  });

  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href$="#shortcuts"]');
    if (!link) return;
    event.preventDefault();
    show();
  });
})();
