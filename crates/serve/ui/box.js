// The box for words and pictures: what is typed, pasted, dropped and chosen, as words and chips; recent queries below it.

import { $, el, icon, iconButton, local } from "./dom.js";
import { thumbnailOf } from "./api.js";
import { t } from "./i18n.js";
import { acceptDrops, fileOf, read } from "./picture.js";
import { join, label, split } from "./query.js";

const PAUSE_MS = 150;
const RECENT = 10;

/// Wires the box. `change(changes, how)` is called for what the user does, `settled()` when a query is done,
/// `go(address)` for a recent query, `down()` for the way into the results and `warn(text)` for what cannot be read.
export function createBox({ change, settled, go, down, warn }) {
  const [input, chips, list] = [$("#query"), $("#parts"), $("#recent")];
  let parts = [];
  let names = new Set();
  let pause = 0;
  let active = -1; // the chosen recent query

  const query = () => join(parts, input.value);
  const tell = (how = "type") => {
    clearTimeout(pause);
    change({ q: query() }, how);
  };

  /// Turns what is complete in the field into chips. A chip needs an end: a space, Enter, or that the field is left.
  function chip() {
    const found = split(input.value, names);
    if (!found.parts.length) return;
    parts = [...parts, ...found.parts];
    input.value = found.words && /\s$/u.test(input.value) ? `${found.words} ` : found.words;
    draw();
  }

  function drop(part) {
    parts = parts.filter((other) => other !== part);
    draw();
    tell("push");
    input.focus();
  }

  /// Puts a chip back into the field to be changed.
  function edit(part) {
    parts = parts.filter((other) => other !== part);
    input.value = join([part], input.value);
    draw();
    input.focus();
  }

  let shownPicture = null; // { url, name, changes }

  function draw() {
    const all = parts.map((part) =>
      el(
        "li",
        { class: `chip ${part.kind}` },
        el("button", { type: "button", class: "chip-text", title: t(`part.${part.kind}`), on: { click: () => edit(part) } },
          el("span", { class: "visually-hidden", text: `${t(`part.${part.kind}`)} ` }), label(part)),
        iconButton("close", t("remove.named", { name: part.text }), () => drop(part), "chip-remove"),
      ),
    );
    if (shownPicture) {
      const picture = el("img", { src: shownPicture.url, alt: "" });
      // Some pictures are read by the server but not by this browser.
      picture.addEventListener("error", () => picture.replaceWith(icon("picture")));
      all.unshift(
        el(
          "li",
          { class: "chip picture" },
          picture,
          el("span", { class: "chip-text", text: shownPicture.name }),
          iconButton("close", t("remove.named", { name: shownPicture.name }), () => {
            change({ image: null, like: null });
            input.focus();
          }, "chip-remove"),
        ),
      );
    }
    chips.replaceChildren(...all);
    $("#clear").hidden = !all.length && !input.value;
    input.placeholder = all.length ? "" : t("box.placeholder");
  }

  /// Shows a state, unless it is what stands here already: half-typed parts are left alone.
  function show(state) {
    if (join(parts, input.value) !== state.q.trim()) {
      const found = split(state.q, names);
      parts = found.parts;
      input.value = found.words;
    }
    shownPicture = state.image
      ? { url: state.image.url, name: t("box.own-picture") }
      : state.like !== null && { url: thumbnailOf(state.like, state.gallery), name: t("box.like") };
    draw();
  }

  async function take(file) {
    try {
      change({ image: await read(file), like: null });
      settled();
    } catch {
      warn(t("error.picture", { name: file.name || t("box.own-picture") }));
    }
  }

  input.addEventListener("input", (event) => {
    close();
    $("#clear").hidden = !parts.length && !shownPicture && !input.value;
    // What an input method shows while it composes is not yet a word.
    if (event.isComposing) return;
    if (/\s$/u.test(input.value)) chip();
    clearTimeout(pause);
    pause = setTimeout(tell, PAUSE_MS);
  });
  input.addEventListener("compositionend", () => {
    clearTimeout(pause);
    pause = setTimeout(tell, PAUSE_MS);
  });
  input.addEventListener("blur", () => {
    chip();
    close();
  });
  input.addEventListener("focus", openRecent);
  input.addEventListener("click", openRecent);
  input.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    const isOpen = !list.hidden;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (isOpen) choose(event.key === "ArrowDown" ? active + 1 : active - 1);
      else if (event.key === "ArrowDown") down();
      else return;
    } else if (event.key === "Escape" && isOpen) close();
    else if (event.key === "Escape") input.blur();
    else if (event.key === "Delete" && isOpen && active >= 0) forget(active);
    else if (event.key === "Backspace" && parts.length && input.selectionEnd === 0) drop(parts.at(-1));
    else if (event.key === "Backspace" && shownPicture && input.selectionEnd === 0) change({ image: null, like: null });
    else return;
    event.preventDefault();
  });

  $("#box").addEventListener("submit", (event) => {
    event.preventDefault();
    if (!list.hidden && active >= 0) {
      go(local.get("recent", [])[active].address);
      close();
      return;
    }
    chip();
    tell();
    settled();
    close();
    if (matchMedia("(pointer: coarse)").matches) input.blur(); // the keyboard would cover the answer
  });
  $("#field").addEventListener("click", (event) => !event.target.closest("button, input") && input.focus());
  $("#clear").addEventListener("click", () => {
    parts = [];
    input.value = "";
    change({ q: "", image: null, like: null });
    input.focus();
  });
  $("#choose").addEventListener("click", () => $("#file").click());
  $("#file").addEventListener("change", (event) => {
    const file = event.target.files[0];
    if (file) take(file);
    event.target.value = ""; // the same file may be chosen again
  });
  addEventListener("paste", (event) => {
    const file = fileOf(event.clipboardData);
    if (!file) return;
    event.preventDefault();
    take(file);
  });
  acceptDrops(take, (like) => change({ like, image: null }), () => warn(t("error.no-picture")));

  // Recent queries.

  function openRecent() {
    const recent = local.get("recent", []);
    if (input.value || parts.length || !recent.length || !list.hidden) return;
    const option = ({ text, address }, at) =>
      el("li", { role: "option", id: `recent-${at}`, "aria-selected": "false", on: { click: () => { close(); go(address); } } },
        icon("clock"), el("span", { text }));
    list.replaceChildren(...recent.map(option));
    $("#recents").hidden = list.hidden = false;
    input.ariaExpanded = "true";
    active = -1;
  }

  function close() {
    $("#recents").hidden = list.hidden = true;
    input.ariaExpanded = "false";
    input.removeAttribute("aria-activedescendant");
    active = -1;
  }

  function choose(next) {
    const options = [...list.children];
    active = (next + options.length) % options.length;
    options.forEach((option, at) => (option.ariaSelected = String(at === active)));
    input.setAttribute("aria-activedescendant", options[active].id);
    options[active].scrollIntoView({ block: "nearest" });
  }

  function forget(at) {
    local.set("recent", local.get("recent", []).filter((_, other) => other !== at));
    close();
    openRecent();
  }

  // The mouse would take the focus out of the field and close the list before the click arrives.
  $("#recents").addEventListener("mousedown", (event) => event.preventDefault());
  $("#forget").addEventListener("click", () => {
    local.set("recent", []);
    close();
  });

  return {
    show,
    focus() {
      input.focus();
      input.select();
    },
    /// Keeps a query for the list; a picture of the user's own is not kept.
    remember(state, address) {
      if (!state.q.trim() || state.image) return;
      const text = state.like === null ? state.q : `${t("box.like")} (${state.like}) ${state.q}`;
      const others = local.get("recent", []).filter((other) => other.text !== text);
      local.set("recent", [{ text, address }, ...others].slice(0, RECENT));
    },
    /// The gallery's fields, which make `name:value` a filter.
    know(fields) {
      names = new Set(fields.map((field) => field.name));
      if (document.activeElement !== input) chip();
    },
  };
}
