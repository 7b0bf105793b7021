// Keeps the parts of a page that are marked `data-live` up to date: when the console says that something changed, the
// page fetches itself and swaps those parts. Forms stand outside of them, so nothing that is being typed is lost.
"use strict";

(() => {
  const REST_MS = 500;
  const parts = () => [...document.querySelectorAll("[data-live]")];

  function swap(part, fresh) {
    if (part.innerHTML === fresh.innerHTML) return;
    const open = [...part.querySelectorAll("details[open][id]")].map((each) => each.id);
    const focused = part.contains(document.activeElement) ? document.activeElement : null;
    const place = focused && [...part.querySelectorAll("a, button, summary")].indexOf(focused);
    part.replaceChildren(...fresh.childNodes);
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    if (focused) part.querySelectorAll("a, button, summary")[place]?.focus({ preventScroll: true });
  }

  // A key that was refused while the page was open: show the form for another one.
  function offerAnotherKey() {
    for (const form of document.querySelectorAll("[data-opens-for]")) {
      const part = document.getElementById(form.dataset.opensFor);
      const wanted = part?.querySelector('[data-wants-key="yes"]') || !part?.querySelector("[data-wants-key]");
      if (wanted && !form.open) form.open = true;
    }
  }

  async function fetchPage() {
    const answer = await fetch(location.href, { credentials: "same-origin", redirect: "manual" });
    if (answer.type === "opaqueredirect") return location.reload();
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of parts()) {
      const fresh = page.getElementById(part.id);
      if (fresh) swap(part, fresh);
    }
    offerAnotherKey();
  }

  let busy = false;
  let again = false;
  async function refresh() {
    if (busy) { again = true; return; }
    busy = true;
    try {
      await fetchPage();
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // the console is away; the stream will say when it is back
    } finally {
      setTimeout(() => {
        busy = false;
        if (again) { again = false; refresh(); }
      }, REST_MS);
    }
  }

  function copy(event) {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const source = document.getElementById(button.dataset.copy);
    navigator.clipboard?.writeText(source.value ?? source.textContent).then(() => {
      const before = button.textContent;
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = before; }, 1500);
    });
  }

  document.addEventListener("click", copy);
  const target = location.hash && document.getElementById(location.hash.slice(1));
  if (target instanceof HTMLDetailsElement) target.open = true;
  if (!parts().length || !("EventSource" in window)) return;

  // A browser has few connections to one host, so a page that nobody looks at gives its stream back. The stream begins
  // with a change, which brings a page that comes back up to date.
  const RETRY_MS = 5000;
  let source = null;
  function listen() {
    if (source || document.hidden) return;
    source = new EventSource("/live");
    source.addEventListener("changed", refresh);
    source.addEventListener("error", () => {
      if (source?.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
      rest();
      setTimeout(listen, RETRY_MS);
    });
  }
  function rest() {
    source?.close();
    source = null;
  }
  document.addEventListener("visibilitychange", () => (document.hidden ? rest() : listen()));
  addEventListener("pagehide", rest);
  addEventListener("pageshow", listen);
  listen();
})();
