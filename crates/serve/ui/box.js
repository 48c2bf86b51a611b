// The box for words and pictures: what is typed, pasted, dropped and chosen, as words and chips; recent queries below it.

import { $, button, chip, el, icon, local, on } from "./dom.js";
import { thumbnailOf } from "./api.js";
import { t } from "./i18n.js";
import { acceptDrops, fileOf, read } from "./picture.js";
import { join, label, split } from "./query.js";
import { NO_QUERY } from "./state.js";

const PAUSE_MS = 150;
const RECENT = 10;

/// Wires the box. `change(changes, how)` is called for what the user does, `settled()` when a query is done,
/// `go(address)` for a recent query, `down()` for the way into the results and `warn(text)` for what cannot be read.
export function createBox({ change, settled, go, down, warn }) {
	const [input, chips, list, recents] = [$("#query"), $("#parts"), $("#recent"), $("#recents")];
	let parts = [];
	let names = new Set();
	let pause = 0;
	let active = -1; // the chosen recent query

	const tell = (how = "type") => {
		clearTimeout(pause);
		change({ q: join(parts, input.value) }, how);
	};
	const tellSoon = () => {
		clearTimeout(pause);
		pause = setTimeout(tell, PAUSE_MS);
	};

	/// Turns what is complete in the field into chips. A chip needs an end: a space, Enter, or that the field is left.
	function complete() {
		const found = split(input.value, names);
		if (!found.parts.length) return;
		parts = [...parts, ...found.parts];
		input.value = found.words && /\s$/u.test(input.value) ? `${found.words} ` : found.words;
		draw();
	}

	/// Takes a chip out; with `edited` it is put back into the field to be changed.
	function drop(part, edited = false) {
		parts = parts.filter((other) => other !== part);
		if (edited) input.value = join([part], input.value);
		else tell("push");
		draw();
		input.focus();
	}

	function dropPicture() {
		change({ image: null, like: null });
		input.focus();
	}

	let shownPicture = null; // { url, name }

	function draw() {
		const removing = (name) => t("page.remove-named", { name });
		const all = parts.map((part) => {
			const kind = t(`part.${part.kind}`);
			const shown = button("chip-text", null, () => drop(part, true), el("span", { class: "unseen", text: `${kind} ` }), label(part));
			shown.title = kind;
			return chip(part.kind, [shown], removing(part.text), () => drop(part));
		});
		if (shownPicture) {
			const { url, name } = shownPicture;
			const picture = el("img", { src: url, alt: "" });
			on(picture, "error", () => picture.replaceWith(icon("picture"))); // a caption has none
			all.unshift(chip("picture", [picture, el("span", { class: "chip-text", text: name })], removing(name), dropPicture));
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

	on(input, "input", (event) => {
		close();
		$("#clear").hidden = !parts.length && !shownPicture && !input.value;
		// What an input method shows while it composes is not yet a word.
		if (event.isComposing) return;
		if (/\s$/u.test(input.value)) complete();
		tellSoon();
	});
	on(input, "compositionend", tellSoon);
	on(input, "blur", () => {
		complete();
		close();
	});
	on(input, "focus", openRecent);
	on(input, "click", openRecent);
	on(input, "keydown", (event) => {
		if (event.isComposing) return;
		const isOpen = !recents.hidden;
		const isFirst = input.selectionEnd === 0;
		const act = {
			ArrowDown: isOpen ? () => choose(active + 1) : down,
			ArrowUp: isOpen && (() => choose(active - 1)),
			Escape: isOpen ? close : () => input.blur(),
			Backspace: isFirst && (parts.length ? () => drop(parts.at(-1)) : shownPicture && dropPicture),
		}[event.key];
		if (!act) return;
		event.preventDefault();
		act();
	});

	on("#box", "submit", (event) => {
		event.preventDefault();
		if (!recents.hidden && active >= 0) {
			go(local.get("recent", [])[active].address);
			close();
			return;
		}
		complete();
		tell();
		settled();
		close();
		if (matchMedia("(pointer: coarse)").matches) input.blur(); // the keyboard would cover the answer
	});
	on("#field", "click", (event) => !event.target.closest("button, input") && input.focus());
	on("#clear", "click", () => {
		parts = [];
		input.value = "";
		change(NO_QUERY);
		input.focus();
	});
	on("#choose", "click", () => $("#file").click());
	on("#file", "change", (event) => {
		const file = event.target.files[0];
		if (file) take(file);
		event.target.value = ""; // the same file may be chosen again
	});
	on(window, "paste", (event) => {
		const file = fileOf(event.clipboardData);
		if (!file) return;
		event.preventDefault();
		take(file);
	});
	acceptDrops(take, (like) => change({ like, image: null }), () => warn(t("error.no-picture")));

	function openRecent() {
		const recent = local.get("recent", []);
		if (input.value || parts.length || !recent.length || !recents.hidden) return;
		const option = ({ text, address }, at) =>
			el("li", { role: "option", id: `recent-${at}`, "aria-selected": "false", on: { click: () => { close(); go(address); } } },
				icon("clock"), el("span", { text }));
		list.replaceChildren(...recent.map(option));
		recents.hidden = false;
		input.ariaExpanded = "true";
		active = -1;
	}

	function close() {
		recents.hidden = true;
		input.ariaExpanded = "false";
		input.removeAttribute("aria-activedescendant");
		active = -1;
	}

	function choose(next) {
		const options = [...list.children];
		active = (next + options.length) % options.length;
		options.forEach((option, at) => (option.ariaSelected = at === active));
		input.setAttribute("aria-activedescendant", options[active].id);
		options[active].scrollIntoView({ block: "nearest" });
	}

	// The mouse would close the list before its click arrives.
	on(recents, "mousedown", (event) => event.preventDefault());
	on("#forget", "click", () => {
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
			if (document.activeElement !== input) complete();
		},
	};
}
