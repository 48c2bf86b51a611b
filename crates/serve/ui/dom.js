// Elements, icons and storage. All text passes through `el`, which sets textContent: nothing in this page parses HTML.

export const page = document.documentElement;
export const $ = (selector, root = document) => root.querySelector(selector);
export const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

/// Listens to an event of a node, or of the first one of a selector.
export const on = (target, event, listener, options) =>
	(typeof target === "string" ? $(target) : target).addEventListener(event, listener, options);

/// An element; `props` are attributes, but for `text`, functions (listeners) and what is undefined or false.
export function el(tag, props = {}, ...children) {
	const node = document.createElement(tag);
	for (const [name, value] of Object.entries(props)) {
		if (typeof value === "function") on(node, name, value);
		else if (name === "text") node.textContent = value;
		else if (value !== undefined && value !== false) node.setAttribute(name, value);
	}
	node.append(...children.filter(Boolean));
	return node;
}

/// A button with a text, or with `children` in its place.
export const button = (className, text, click, ...children) =>
	el("button", { type: "button", class: className, text: text ?? "", click }, ...children);

/// Puts nodes in the place of others. Where one of these has the keyboard, the place has it then, and not nobody.
export function replace(place, ...nodes) {
	const isHeld = place.contains(document.activeElement);
	place.replaceChildren(...nodes);
	place.tabIndex = -1;
	if (isHeld) place.focus({ preventScroll: true });
}

const RING = "M20.5 12a8.5 8.5 0 1 1-17 0 8.5 8.5 0 0 1 17 0";
const ICONS = {
	search: "M17.5 11a6.5 6.5 0 1 1-13 0 6.5 6.5 0 0 1 13 0m-1.5 5 4.5 4.5",
	close: "m6.5 6.5 11 11m0-11-11 11",
	picture: "M4 5h16v14H4zm0 12 5.5-5.5 3.5 3.5 2.5-2.5L20 17M14.6 9h.1",
	filter: "M4 7h16M7 12h10m-7 5h4",
	theme: `${RING}M12 3.5v17m2.8-16v15m2.8-13v11`,
	help: `${RING}M9 9.2a3 3 0 1 1 4.3 2.7c-.9.5-1.3 1-1.3 2.1m0 3.2v.1`,
	left: "m14.5 5.5-6.5 6.5 6.5 6.5",
	right: "m9.5 5.5 6.5 6.5-6.5 6.5",
	plus: "M12 5.5v13M5.5 12h13",
	minus: "M5.5 12h13",
	check: "m6 12.5 4 4 8-9",
};

export function icon(name) {
	const [svg, path] = ["svg", "path"].map((tag) => document.createElementNS("http://www.w3.org/2000/svg", tag));
	path.setAttribute("d", ICONS[name]);
	svg.setAttribute("class", "icon");
	svg.setAttribute("viewBox", "0 0 24 24");
	svg.setAttribute("aria-hidden", "true");
	svg.append(path);
	return svg;
}

/// Storage may be missing, full or switched off: the page then just forgets.
const safe = (area) => ({
	get(name, otherwise = null) {
		try {
			return JSON.parse(area().getItem(`tuwen.${name}`)) ?? otherwise;
		} catch {
			return otherwise;
		}
	},
	set(name, value) {
		try {
			area().setItem(`tuwen.${name}`, JSON.stringify(value));
		} catch {}
	},
});
export const local = safe(() => localStorage);
export const session = safe(() => sessionStorage);
