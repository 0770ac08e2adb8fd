/* Files are dropped or chosen, then sent in turn, each with its progress; a refusal stands at its file. Without this, the form sends one. */
"use strict";

(function () {
  const form = document.querySelector("form[data-upload]");
  if (!form) return;
  const input = form.querySelector("input[type=file]");
  const zone = form.querySelector(".fw-drop");
  const list = document.getElementById("files");
  const submit = form.querySelector("button[type=submit]");
  const limit = Number(form.dataset.limit);
  const items = [];
  let isBusy = false;

  const UNITS = ["bytes", "KiB", "MiB", "GiB"];
  function size(bytes) {
    let step = 0;
    while (bytes >= 1024 && step < UNITS.length - 1) {
      bytes /= 1024;
      step += 1;
    }
    return `${step ? bytes.toFixed(1) : bytes} ${UNITS[step]}`;
  }

  function make(tag, words) {
    return Object.assign(document.createElement(tag), words);
  }

  function add(file) {
    const row = make("li", { className: "fw-file" });
    const head = make("div", { className: "fw-file-head" });
    const says = make("span", { className: "fw-file-says", textContent: "ready" });
    const drop = make("button", { type: "button", className: "fw-link", textContent: "Remove" });
    const bar = make("progress", { max: 1, value: 0, hidden: true });
    bar.setAttribute("aria-label", `Progress of ${file.name}`);
    drop.setAttribute("aria-label", `Remove ${file.name}`);
    head.append(make("strong", { textContent: file.name }), make("small", { textContent: size(file.size) }), drop);
    row.append(head, bar, says);
    list.append(row);
    const item = { file, row, says, drop, bar, state: "ready" };
    items.push(item);
    drop.addEventListener("click", () => leave(item));
    if (file.size > limit) end(item, "refused", `It is too big: ${size(limit)} are allowed.`);
    if (file.size === 0) end(item, "refused", "It is empty.");
    renew();
  }

  function leave(item) {
    if (item.request) item.request.abort();
    if (item.state === "ready" || item.state === "refused") {
      items.splice(items.indexOf(item), 1);
      item.row.remove();
    }
    renew();
  }

  function end(item, state, words, url) {
    item.state = state;
    item.row.className = `fw-file fw-file-${state}`;
    item.bar.hidden = true;
    item.drop.hidden = state === "done";
    item.drop.textContent = "Remove";
    item.says.replaceChildren(url ? make("a", { href: url, textContent: words }) : words);
  }

  function renew() {
    const ready = items.filter((item) => item.state === "ready").length;
    submit.disabled = isBusy || (items.length > 0 && ready === 0);
    submit.textContent = isBusy ? "Uploading…" : ready > 1 ? `Upload ${ready} files` : "Upload";
    input.required = items.length === 0;
  }

  function answer(request) {
    try {
      return JSON.parse(request.responseText);
    } catch {
      return {};
    }
  }

  function send(item) {
    return new Promise((done) => {
      const request = new XMLHttpRequest();
      const data = new FormData();
      const began = performance.now();
      item.request = request;
      item.state = "sending";
      item.bar.hidden = false;
      item.drop.textContent = "Stop";
      for (const [name, value] of new FormData(form)) if (name !== input.name) data.append(name, value);
      data.append("file", item.file);
      request.upload.addEventListener("progress", (event) => {
        const seconds = (performance.now() - began) / 1000;
        item.bar.value = event.total ? event.loaded / event.total : 0;
        item.says.textContent =
          event.loaded < event.total
            ? `${size(event.loaded)} of ${size(event.total)}, ${size(Math.round(event.loaded / Math.max(seconds, 0.01)))}/s`
            : "being verified…";
      });
      request.addEventListener("load", () => {
        const said = answer(request);
        if (request.status === 201) end(item, "done", said.says, said.url);
        else if (said.sentence) end(item, "refused", `${said.sentence} (${said.code})`);
        else if (request.status === 403) end(item, "refused", "You may not upload, or you were logged out: reload the page.");
        else end(item, "ready", `The portal answered with ${request.status}; try again.`);
        item.url = said.url;
      });
      request.addEventListener("error", () => end(item, "ready", "The connection was lost; try again. Nothing was stored."));
      request.addEventListener("abort", () => end(item, "ready", "stopped; nothing was stored"));
      request.addEventListener("loadend", () => {
        item.request = null;
        done();
      });
      request.open("POST", form.action || location.href);
      request.setRequestHeader("Accept", "application/json");
      request.send(data);
    });
  }

  async function sendAll() {
    isBusy = true;
    renew();
    for (const item of items.filter((each) => each.state === "ready")) await send(item);
    isBusy = false;
    renew();
    if (items.length === 1 && items[0].state === "done") location.assign(items[0].url);
  }

  input.multiple = true;
  form.querySelectorAll("[data-only-script]").forEach((part) => (part.hidden = false));
  input.classList.add("fw-out-of-sight");
  input.addEventListener(
    "change",
    (event) => {
      event.stopImmediatePropagation(); /* the admin's own listener looks for a text field beside the file, which is not here */
      [...input.files].forEach(add);
      input.value = "";
      renew();
    },
    { capture: true },
  );
  for (const name of ["dragenter", "dragover"]) {
    document.addEventListener(name, (event) => {
      event.preventDefault();
      zone.classList.add("fw-over");
    });
  }
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) zone.classList.remove("fw-over");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("fw-over");
    [...event.dataTransfer.files].forEach(add);
  });
  form.addEventListener("submit", (event) => {
    if (!items.length) return;
    event.preventDefault();
    if (!isBusy) sendAll();
  });
})();
