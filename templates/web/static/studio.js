// Makes the pages smoother. Without it every one of them does the same, with one more click.

const pageOf = async (response) => new DOMParser().parseFromString(await response.text(), "text/html");

const swap = (page, ids) => {
  for (const id of ids) {
    const [old, fresh] = [document.getElementById(id), page.getElementById(id)];
    if (old && fresh) old.replaceWith(document.adoptNode(fresh));
  }
};

// A one-time link needs a press, so that programs which only follow links cannot use it up.
document.querySelector("form[data-at-once]")?.requestSubmit();

// Copying needs a script, so the button is not there without one.
for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) break;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).value);
    button.textContent = "Copied";
  });
}

// Lengths beside the fields.
for (const input of document.querySelectorAll("[data-count]")) {
  const says = document.getElementById(input.dataset.count);
  input.addEventListener("input", () => {
    says.querySelector("[data-length]").textContent = [...input.value].length;
  });
}

// Desktop, phone, plain text and dark, without loading the page again.
const preview = document.getElementById("preview");
const sheet = preview?.closest(".sheet");

const look = (url) => {
  const chosen = { view: url.searchParams.get("view") ?? "desktop", dark: url.searchParams.get("dark") ?? "" };
  sheet.className = `sheet sheet-${chosen.view}${chosen.dark ? " sheet-dark" : ""}`;
  preview.src = `${url.pathname}/preview${url.search}`;
  document.getElementById("approximate")?.toggleAttribute("hidden", chosen.dark !== "forced");
  for (const [name, value] of Object.entries(chosen)) {
    const field = document.querySelector(`.reader [name=${name}]`);
    if (field) field.value = value;
  }
  for (const link of document.querySelectorAll(".views a")) {
    const target = new URL(link.href);
    for (const [name, value] of Object.entries(chosen)) {
      if (name in link.dataset) {
        if (link.dataset[name] === value) link.setAttribute("aria-current", "true");
        else link.removeAttribute("aria-current");
      } else if (value) target.searchParams.set(name, value);
      else target.searchParams.delete(name);
    }
    link.href = target;
  }
};

if (preview) {
  document.querySelector(".views-all")?.addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    const url = new URL(link.href);
    look(url);
    history.replaceState(null, "", `${url.pathname}${url.search}`);
  });
}

// The draft saves itself; the preview, the checklist and the button follow.
const draft = document.querySelector("form[data-draft]");

if (draft) {
  const says = document.getElementById("saving");
  let timer = 0;
  let saving = Promise.resolve();
  draft.classList.add("live");

  const save = async () => {
    says.textContent = "Saving…";
    const response = await fetch(draft.action, { method: "POST", body: new FormData(draft) });
    const page = await pageOf(response);
    if (!response.ok) {
      says.textContent = page.querySelector("h1")?.textContent ?? "This could not be saved.";
      return;
    }
    swap(page, ["seen", "checklist", "go", "shown-subject", "pictures-says", "segment-says"]);
    const src = new URL(preview.src);
    src.searchParams.set("v", Date.now());
    preview.src = src;
    says.textContent = "Saved. The preview shows it.";
  };

  const failed = () => {
    says.textContent = "Not saved: the studio does not answer. What you typed is still here.";
    draft.classList.remove("live");
  };

  draft.addEventListener("input", (event) => {
    if (event.target.id === "at") return;
    says.textContent = "";
    clearTimeout(timer);
    timer = setTimeout(() => { saving = saving.then(save).catch(failed); }, event.target.type === "checkbox" ? 0 : 900);
  });
}

// What changes by itself, such as a receipt while an issue is being sent: told as it happens, or asked for
// where it cannot be told.
const live = document.querySelector("[data-live]");

if (live) {
  const refresh = async () => {
    const element = document.getElementById(live.id);
    if (!element?.dataset.live) return false;
    const busy = element.contains(document.activeElement) || element.querySelector("details[open]");
    if (document.hidden || busy) return true;
    try {
      const response = await fetch(location.pathname);
      if (response.ok) swap(await pageOf(response), [live.id]);
    } catch { /* The next round asks again. */ }
    return true;
  };
  const again = () => setTimeout(async () => { if (await refresh()) again(); }, Number(live.dataset.live));

  const listen = () => {
    const events = new EventSource(live.dataset.events);
    events.addEventListener("account", (event) => {
      const opened = [...document.querySelectorAll("#account details[open]")].map((one) => one.id);
      swap(new DOMParser().parseFromString(event.data, "text/html"), ["account"]);
      for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
    });
    // Buttons and lists change with the state of the issue: the whole page is asked for until it is there.
    events.addEventListener("state", (event) => {
      const follow = async () => {
        await refresh();
        const element = document.getElementById(live.id);
        if (element.dataset.state !== event.data) setTimeout(follow, 1000);
        else if (!element.dataset.events) events.close();
      };
      follow();
    });
    events.addEventListener("error", () => { if (events.readyState === EventSource.CLOSED) again(); });
  };
  if (live.dataset.events) listen();
  else again();
}
