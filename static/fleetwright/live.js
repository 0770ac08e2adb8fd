/* Pages that ask for news: says when the portal does not answer, and keeps the newest output in sight. */
"use strict";

(function () {
  const TRIES_BEFORE_WORD = 2; /* one lost answer is no outage */
  const WAIT_MS = 15000;
  let failures = 0;

  function banner() {
    let found = document.getElementById("fw-connection");
    if (!found) {
      found = document.createElement("div");
      found.id = "fw-connection";
      found.setAttribute("role", "status");
      document.body.append(found);
    }
    return found;
  }

  function show(isLost) {
    const place = banner();
    place.className = isLost ? "fw-lost" : "";
    place.textContent = isLost ? "The connection to the portal is lost; trying again." : "";
  }

  function failed(event) {
    const status = event.detail.xhr ? event.detail.xhr.status : 0;
    if (status && status < 500) return; /* an answer: the portal is there */
    failures += 1;
    const isUpgraded = document.querySelector("#fw-upgrading[data-following]"); /* which says so itself */
    if (failures >= TRIES_BEFORE_WORD && !isUpgraded) show(true);
  }

  function answered(event) {
    if (!event.detail.successful) return;
    if (failures >= TRIES_BEFORE_WORD) show(false);
    failures = 0;
  }

  function follow(button) {
    const box = document.getElementById(button.dataset.follow);
    let isFollowing = true;
    const isAtEnd = () => box.scrollHeight - box.scrollTop - box.clientHeight < 24;

    function set(value) {
      isFollowing = value;
      button.setAttribute("aria-pressed", String(value));
      button.textContent = value ? "Following" : "Follow the output";
      if (value) box.scrollTop = box.scrollHeight;
    }

    button.hidden = false;
    button.addEventListener("click", () => set(!isFollowing));
    box.addEventListener("wheel", () => setTimeout(() => set(isAtEnd()), 100), { passive: true });
    box.addEventListener("touchmove", () => set(isAtEnd()), { passive: true });
    box.addEventListener("keyup", () => set(isAtEnd()));
    new MutationObserver(() => {
      if (isFollowing) box.scrollTop = box.scrollHeight;
    }).observe(box, { childList: true });
    set(true);
  }

  document.addEventListener("DOMContentLoaded", () => {
    htmx.config.timeout = WAIT_MS;
    banner();
    document.body.addEventListener("htmx:sendError", failed);
    document.body.addEventListener("htmx:timeout", failed);
    document.body.addEventListener("htmx:responseError", failed);
    document.body.addEventListener("htmx:afterRequest", answered);
    document.querySelectorAll("[data-follow]").forEach(follow);
  });
})();
