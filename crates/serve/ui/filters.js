// The panel of filters: for each field its values with their counts. These are of the items that the other filters leave, so
// that a second value of the same field can still be chosen.

import { $, $$, el, on } from "./dom.js";
import * as api from "./api.js";
import { count, fieldName, valueName } from "./i18n.js";
import { change, hasQuery, whereOf } from "./state.js";

const FIRST = ["year", "tag", "camera", "folder", "extension", "orientation"];
// Hardly two items share one of these; the query has words and ranges for them.
const LEFT_OUT = ["name", "description", "date", "width", "height", "megapixels", "bytes", "latitude", "longitude", "altitude"];
const MOST = 50; // values of a field
const FOLDERS = 1000; // also the names of their parts, which are not shown

export function createFilters(known) {
	const groups = $("#groups");
	let state = null;
	let isOpen = false;
	let gallery = null;
	let asked = new AbortController();
	let drawn = ""; // of which filters the counts are

	async function load() {
		gallery = state.gallery;
		drawn = "";
		try {
			const { fields } = await api.get("/v1/fields", { gallery });
			const place = ({ name }) => (FIRST.includes(name) ? FIRST.indexOf(name) : FIRST.length);
			fields.sort((a, b) => place(a) - place(b));
			const open = new Map([...groups.children].map((details) => [details.dataset.field, details.open]));
			groups.replaceChildren(...fields.filter(({ name }) => !LEFT_OUT.includes(name)).map((field) => group(field, open)));
			known(fields);
			if (isOpen) refresh();
			const { values } = await api.get("/v1/fields/tag", { k: MOST, gallery });
			$("#tags").replaceChildren(...values.map(({ value }) => el("option", { value })));
		} catch {
			gallery = null; // the results are asked for as well, and say what is wrong
		}
	}

	function group({ name }, known) {
		const body = el("div", { class: "group-body" });
		const details = el("details", { class: "group", "data-field": name },
			el("summary", {}, fieldName(name), el("span", { class: "chosen" })), body);
		details.open = known.get(name) ?? FIRST.slice(0, 4).includes(name);
		// Not "toggle", which also tells of groups that were open from the beginning.
		on(details.firstChild, "click", () => details.open || fill(details));
		return details;
	}

	async function fill(details) {
		const name = details.dataset.field;
		const body = $(".group-body", details);
		const about = { where: whereOf(state, name), query: typed(), kind: state.kind, k: name === "folder" ? FOLDERS : MOST, gallery };
		const { values } = await api.get(`/v1/fields/${encodeURIComponent(name)}`, about, asked.signal).catch(() => ({ values: [] }));
		const chosen = state.filters.filter((filter) => filter.name === name).map(({ value }) => value);
		const shown = name === "folder" ? foldersOf(values) : values.map(({ value, items }) => [String(value), items]);
		if (values.every(({ value }) => value > 0)) shown.sort(([a], [b]) => b - a); // the newest year first
		// What is chosen stays in sight, also where the other filters leave nothing of it.
		for (const value of chosen) if (!shown.some(([other]) => other === value)) {
			shown.unshift([value, values.find((other) => String(other.value) === value)?.items ?? 0]);
		}
		const held = body.contains(document.activeElement) && document.activeElement.value;
		body.replaceChildren(...shown.map(([value, items, label]) => choice(name, value, items, chosen.includes(value), label)));
		// The box that was just ticked keeps the keyboard.
		$$("input", body).find((input) => input.value === held)?.focus();
	}

	function choice(name, value, items, checked, label = valueName(name, value)) {
		const input = el("input", { type: "checkbox", value, change() {
			const others = state.filters.filter((filter) => filter.name !== name || !(filter.value === value || isWithin(name, value, filter.value)));
			change({ filters: input.checked ? [...others, { name, value }] : others });
		} });
		input.checked = checked;
		return el("label", { class: "choice" }, input, el("span", { class: "value", title: value, text: label }),
			el("span", { class: "items", text: count(items) }));
	}

	/// A folder and one above it exclude each other: together they would be the upper one.
	const isWithin = (name, one, other) => name === "folder" && (above(one, other) || above(other, one));
	const above = (upper, lower) => lower.split(/[/\\]/u).includes(upper) || (/[/\\]$/u.test(upper) && lower.startsWith(upper));

	/// Each folder once, with what is in it and below: [path, items, the path from the folder that holds all]. A file's field has
	/// its folder's path, and the names of the path's parts.
	function foldersOf(values) {
		const paths = values.filter(({ value }) => /[/\\]/u.test(value)).slice(0, 500);
		if (!paths.length) return [];
		const sign = /[/\\]/u.exec(paths[0].value)[0];
		const parts = paths.map(({ value }) => value.split(sign));
		let top = 0; // parts that all have in common
		while (top < parts[0].length && parts.every((other) => other[top] === parts[0][top])) top += 1;
		const folders = new Map();
		for (const [at, own] of parts.entries()) {
			for (let end = top; end <= own.length; end += 1) {
				const path = own.slice(0, end).join(sign) + sign;
				if (path !== sign) folders.set(path, (folders.get(path) ?? 0) + paths[at].items);
			}
		}
		const label = (path) => path.split(sign).slice(top, -1).join(sign) || path.split(sign).at(-2);
		const all = [...folders].map(([path, items]) => [path, items, label(path)]);
		return all.sort(([a], [b]) => a.localeCompare(b)).slice(0, 2 * MOST);
	}

	/// A query that may have filters of its own.
	const typed = () => (/[:："“「]/u.test(state.q) ? state.q.trim() : "");
	const counted = () => JSON.stringify([whereOf(state), typed(), state.kind]);

	function refresh() {
		asked.abort();
		asked = new AbortController();
		drawn = counted();
		for (const details of groups.children) {
			$(".chosen", details).textContent = state.filters.filter(({ name }) => name === details.dataset.field).length || "";
			if (details.open) fill(details);
		}
	}

	on("#words", "change", (event) => change({ words: event.target.checked ? "fuse" : "off" }));
	on("#again", "change", (event) => change({ again: event.target.checked ? "on" : "off" }));
	on("#fold", "change", (event) => change({ fold: event.target.checked ? "on" : "off" }));

	return {
		/// Shows a state; the counts are asked for only while the panel is open.
		show(next, open) {
			state = next;
			isOpen = open;
			$("#counts").hidden = !hasQuery(state);
			groups.hidden = state.removed; // these are listed alone, and the counts are of the others
			$("#words").checked = state.words === "fuse";
			$("#fold").checked = state.fold === "on";
			$("#again").checked = state.again === "on";
			if (gallery !== state.gallery) load();
			else if (isOpen && drawn !== counted()) refresh();
		},
		reload: load,
	};
}
