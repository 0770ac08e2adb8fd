/* The portal's own upgrade, on every page: told before, followed through the restart, and the page is loaded anew afterwards. */
"use strict";

(function () {
  const IDLE_MS = 30000; /* nobody upgrades anything */
  const BUSY_MS = 3000;
  const AWAY_MS = 10000; /* at most, while the portal is away */
  const RELOAD_MS = 3000;
  const STEPS = {
    pending: "Preparing...",
    backing_up: "Creating backup...",
    downloading: "Downloading new version...",
    restarting: "Restarting services...",
    health_check: "Running health checks...",
  };
  let wait = IDLE_MS;
  let following = "";

  function start(place) {
    following = place.dataset.upgrade;
    const later = (ms) => setTimeout(() => ask(place).then(later), ms);
    later(following ? 0 : IDLE_MS);
  }

  async function ask(place) {
    const url = following ? `${place.dataset.status}/${following}` : place.dataset.status;
    try {
      const answer = await fetch(url, { credentials: "same-origin", headers: { Accept: "application/json" } });
      if (answer.status === 401 || answer.status === 403) return IDLE_MS; /* logged out: nothing to be told */
      if (!answer.ok) return away(place);
      const said = await answer.json();
      wait = BUSY_MS;
      if (following) return follow(place, said);
      if (!said.activeUpgrade) return IDLE_MS;
      following = said.activeUpgrade.upgradeId;
      return follow(place, said.activeUpgrade);
    } catch {
      return away(place);
    }
  }

  /* It restarts: that is part of the upgrade. */
  function away(place) {
    if (!following) return IDLE_MS;
    place.dataset.away = "yes";
    wait = Math.min(wait * 1.5, AWAY_MS);
    return wait;
  }

  function follow(place, said) {
    delete place.dataset.away;
    const step = STEPS[said.status];
    if (step) {
      place.dataset.following = "yes";
      show(place, "settings", `Upgrading to ${said.toVersion}... ${step} (${said.progress}%)`);
      return BUSY_MS;
    }
    following = "";
    delete place.dataset.following;
    if (said.status === "complete") {
      show(place, "check_circle", "Upgrade complete! Reloading...");
      setTimeout(() => location.reload(), RELOAD_MS);
    } else {
      const how = said.status === "rolled_back" ? "failed, and was rolled back" : "failed";
      show(place, "report", `The upgrade to ${said.toVersion} ${how}: ${said.error}`);
    }
    return IDLE_MS;
  }

  function show(place, icon, text) {
    place.hidden = false;
    place.querySelector("[data-icon]").textContent = icon;
    const words = place.querySelector("[data-words]");
    if (words.textContent !== text) words.textContent = text;
  }

  document.addEventListener("DOMContentLoaded", () => {
    const place = document.getElementById("fw-upgrading");
    if (place) start(place);
  });
})();
