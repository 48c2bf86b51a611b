// The box for words and pictures: what is typed, pasted, dropped and chosen, as words and chips.

import { $, button, el, icon, local, on } from "./dom.js";
import { thumbnailOf } from "./api.js";
import { chip, toast } from "./widgets.js";
import { t } from "./i18n.js";
import { acceptDrops, files, picturesOf, read } from "./picture.js";
import { join, label, split } from "./query.js";
import { NO_QUERY, change } from "./state.js";

const PAUSE_MS = 150;
const RECENT = 10;

/// `settled()` is called when a query is done, `add()` is what takes files into the gallery, if anything does.
export function createBox({ settled, down, add }) {
	const [input, chips] = [$("#query"), $("#parts")];
	let parts = [];
	let names = new Set();
	let pause = 0;
	let state = null;

	const tell = (how = "type") => {
		clearTimeout(pause);
		change({ q: join(parts, input.value) }, how);
	};
	const tellSoon = () => {
		clearTimeout(pause);
		pause = setTimeout(tell, PAUSE_MS);
	};

	/// Turns what is complete in the field into chips: a space ends them, Enter, or that the field is left.
	function complete() {
		const found = split(input.value, names);
		if (!found.parts.length) return;
		parts = [...parts, ...found.parts];
		input.value = found.words && /\s$/u.test(input.value) ? `${found.words} ` : found.words;
		draw();
	}

	function drop(part) {
		parts = parts.filter((other) => other !== part);
		tell("push");
		draw();
		input.focus();
	}

	/// Puts the last chip back into the field, to be changed.
	function edit() {
		input.value = join([parts.pop()], input.value);
		draw();
	}

	function dropPicture() {
		change({ image: null, like: null });
		input.focus();
	}

	function draw() {
		const all = parts.map((part) => chip(part.kind, [label(part)], part.text, () => drop(part)));
		const { image, like, gallery } = state;
		if (image || like !== null) {
			const name = image ? t("your picture") : t("like this");
			const picture = el("img", { src: image?.url ?? thumbnailOf(like, gallery), alt: "" });
			on(picture, "error", () => picture.replaceWith(icon("picture"))); // a caption has none
			const file = add() && files.get(image?.key);
			const way = file && button("link", t("Add to gallery"), () => add()([file]));
			all.unshift(chip("picture", [picture, name, way], name, dropPicture));
		}
		chips.replaceChildren(...all);
		$("#clear").hidden = !all.length && !input.value;
		input.placeholder = all.length ? "" : t(input.dataset.placeholder);
	}

	/// One picture is a query, several are to be added.
	async function take(pictures) {
		const [file] = pictures;
		if (!file) return toast(t("That was no picture."));
		if (pictures.length > 1 && add()) return add()(pictures);
		try {
			change({ image: await read(file), like: null });
			settled();
		} catch ({ title, message }) {
			toast(title ? message : t("This browser cannot read {name}; a JPEG, PNG or WebP works.", { name: file.name }));
		}
	}

	const suggest = () => $("#recent").replaceChildren(...local.get("queries", []).map((value) => el("option", { value })));

	on(input, "input", (event) => {
		// What an input method shows while it composes is not yet a word.
		if (event.isComposing) return;
		// A recent query is chosen whole, what is typed has an end where a space is.
		if (/\s$/u.test(input.value) || !event.inputType) complete();
		$("#clear").hidden = !chips.firstChild && !input.value;
		tellSoon();
	});
	on(input, "compositionend", tellSoon);
	on(input, "blur", complete);
	on(input, "keydown", (event) => {
		if (event.isComposing) return;
		const isFirst = input.selectionEnd === 0;
		const act = {
			ArrowDown: $("#recent").firstChild && !input.value ? null : down, // the list of recent queries opens
			Escape: () => input.blur(),
			Backspace: isFirst && (parts.length ? edit : chips.firstChild && dropPicture),
		}[event.key];
		if (!act) return;
		event.preventDefault();
		act();
	});
	on("#box", "submit", (event) => {
		event.preventDefault();
		complete();
		tell();
		settled();
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
		if (event.target.files.length) take(picturesOf(event.target));
		event.target.value = ""; // the same file may be chosen again
	});
	on(window, "paste", (event) => {
		const pictures = picturesOf(event.clipboardData);
		if (!pictures.length) return;
		event.preventDefault();
		take(pictures);
	});
	on("#forget", "click", () => {
		local.set("queries", []);
		suggest();
	});
	acceptDrops(take);
	suggest();

	return {
		/// Shows a state, unless it is what stands here already: half-typed parts are left alone.
		show(next) {
			state = next;
			if (join(parts, input.value) !== state.q.trim()) {
				const found = split(state.q, names);
				parts = found.parts;
				input.value = found.words;
			}
			draw();
		},
		focus() {
			input.focus({ preventScroll: true });
			input.select();
		},
		remember(q) {
			const others = local.get("queries", []).filter((other) => other !== q);
			if (q) local.set("queries", [q, ...others].slice(0, RECENT));
			suggest();
		},
		/// The gallery's fields, which make `name:value` a filter.
		know(fields) {
			names = new Set(fields.map(({ name }) => name));
			if (document.activeElement !== input) complete();
		},
	};
}
