// Elements, icons and storage. All text passes through `el`, which sets textContent: nothing in this page parses HTML.

export const page = document.documentElement;
export const $ = (selector, root = document) => root.querySelector(selector);

/// Listens to an event of a node, or of the first one of a selector.
export const on = (target, event, listener, options) =>
	(typeof target === "string" ? $(target) : target).addEventListener(event, listener, options);

/// An element; `props` are attributes, but for `text` (its text), `on` (listeners) and those that are null or false.
export function el(tag, props = {}, ...children) {
	const node = document.createElement(tag);
	for (const [name, value] of Object.entries(props)) {
		if (name === "text") node.textContent = value;
		else if (name === "on") for (const [event, listener] of Object.entries(value)) on(node, event, listener);
		else if (value !== null && value !== false && value !== undefined) node.setAttribute(name, value === true ? "" : value);
	}
	node.append(...children.filter((child) => child !== null && child !== false));
	return node;
}

/// An icon of the sprite in index.html.
export function icon(name) {
	const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
	const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
	use.setAttribute("href", `#i-${name}`);
	svg.setAttribute("class", "icon");
	svg.setAttribute("viewBox", "0 0 24 24");
	svg.setAttribute("aria-hidden", "true");
	svg.append(use);
	return svg;
}

/// A button with a text, or with `children` in its place.
export const button = (className, text, click, ...children) =>
	el("button", { type: "button", class: className, ...(text && { text }), on: { click } }, ...children);

/// A chip with a button that removes it; `shown` is its text or an element.
export const chip = (kind, shown, removing, remove) =>
	el("li", { class: `chip ${kind}` }, ...shown,
		el("button", { type: "button", class: "chip-remove", "aria-label": removing, title: removing, on: { click: remove } }, icon("close")));

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

/// Whether letters belong to a field just now and are no commands.
export const isTyping = (target) =>
	target.matches?.("select, input:not([type=checkbox], [type=range], [type=radio])");
