// A chip, and what stands above the page for a moment: a short message, and a question for one line of text.

import { $, button, el, icon, on } from "./dom.js";
import { t } from "./i18n.js";

const SHOWN_MS = 5000;
let fading = 0;

export function chip(kind, shown, name, remove) {
	const label = t("Remove {name}", { name });
	const cross = el("button", { type: "button", class: "chip-remove", "aria-label": label, title: label, click: remove }, icon("close"));
	const inner = shown.map((part) => (typeof part === "string" ? el("span", { class: "chip-text", text: part }) : part));
	return el("li", { class: `chip ${kind}` }, ...inner, cross);
}

/// The tags that somebody wrote, with commas of any width between them.
export const tagsOf = (text) => text.split(/[,，、]/u).map((tag) => tag.trim()).filter(Boolean);

/// Shows a message for a while, with `act` as a way back where there is one.
export function toast(text, label, act) {
	const place = $("#toast");
	const hide = () => {
		place.hidePopover();
		place.replaceChildren(); // what is over is read to nobody
	};
	const way = act && button("link", label, () => {
		hide();
		act();
	});
	place.hidePopover();
	place.replaceChildren(...[text, way].filter(Boolean));
	// Outside of an open dialog nothing can be clicked.
	($("dialog[open]") ?? document.body).append(place);
	place.showPopover(); // above whatever is open
	clearTimeout(fading);
	fading = setTimeout(hide, act ? 2 * SHOWN_MS : SHOWN_MS);
}

/// Asks for a line of text; `ways` are buttons. Gives { text, way }, the number of the button, or null.
export function ask(title, { note = "", type = "text", list = "", ways = ["OK"] }) {
	const [dialog, input] = [$("#ask"), $("#ask-text")];
	$("#ask-title").textContent = title;
	$("#ask-note").textContent = note;
	Object.assign(input, { type, value: "", ariaLabel: title });
	dialog.ariaLabel = title;
	input.setAttribute("list", list);
	const way = (text, at) => el("button", { class: at ? "button" : "button primary", value: at, text: t(text) });
	$("#ask-ways").replaceChildren(...ways.map(way));
	dialog.returnValue = "";
	dialog.showModal();
	return new Promise((done) => on(dialog, "close", () => {
		const text = input.value.trim();
		done(dialog.returnValue && text ? { text, way: Number(dialog.returnValue) } : null); // Cancel has no value
	}, { once: true }));
}
