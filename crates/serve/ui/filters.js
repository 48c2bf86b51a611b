// The panel of filters: for each field its values with their counts, or a range. Counts are of the items that the other
// filters leave, so that a second value of the same field can still be chosen.

import { $, button, el, on } from "./dom.js";
import * as api from "./api.js";
import { count, fieldName, t, valueName } from "./i18n.js";
import { whereOf } from "./state.js";

const FIRST = ["year", "tag", "camera", "folder", "extension", "orientation"];
const AS_RANGE = new Set(["width", "height", "megapixels", "bytes", "latitude", "longitude", "altitude"]);
// Hardly two items share one of these; the words of a query find them.
const LEFT_OUT = new Set(["name", "description"]);
const FEW = 8;
const MANY = 100;

/// Wires the panel; `change(changes, how)` as for the box, `known(fields)` tells which fields there are.
export function createFilters({ change, known }) {
	const groups = $("#groups");
	let state = null;
	let isOpen = false;
	let gallery = null;
	let asked = new AbortController();

	async function load() {
		gallery = state.gallery;
		const fields = (await api.fields(gallery)).fields.filter(({ name }) => !LEFT_OUT.has(name));
		const place = ({ name }) => (FIRST.includes(name) ? FIRST.indexOf(name) : FIRST.length);
		fields.sort((a, b) => place(a) - place(b));
		groups.replaceChildren(...fields.map(group));
		known(fields);
		if (isOpen) refresh();
		else drawn = "";
	}

	function group(field) {
		const isRange = field.type === "date" || (field.type === "number" && AS_RANGE.has(field.name));
		const body = el("div", { class: "group-body" });
		const details = el("details", { class: "group", "data-field": field.name },
			el("summary", {}, el("span", { text: fieldName(field.name) }), el("span", { class: "chosen" })), body);
		details.open = FIRST.slice(0, 4).includes(field.name);
		if (isRange) range(body, field);
		else {
			details.dataset.values = FEW;
			// Not "toggle", which also tells of groups that were open from the beginning.
			on(details.firstChild, "click", () => details.open || fill(details));
		}
		return details;
	}

	const of = (name, sign) => state.filters.filter((filter) => filter.name === name && filter.sign === sign);

	function set(name, sign, value) {
		const rest = state.filters.filter((filter) => filter.name !== name || filter.sign !== sign);
		change({ filters: value ? [...rest, { name, sign, value }] : rest });
	}

	function range(body, { name, type }) {
		const kind = type === "date" ? { type: "date" } : { type: "number", step: "any", inputmode: "decimal" };
		for (const [sign, label] of [[">=", "page.range-from"], ["<=", "page.range-to"]]) {
			const input = el("input", { "data-sign": sign, ...kind, on: { change: () => set(name, sign, input.value) } });
			body.append(el("label", { class: "range" }, el("span", { text: t(label) }), input));
		}
	}

	async function fill(details) {
		const name = details.dataset.field;
		const most = Number(details.dataset.values);
		const body = $(".group-body", details);
		let values;
		try {
			const about = { where: whereOf(state, name), kind: state.kind, k: most + 1, gallery };
			({ values } = await api.values(name, about, asked.signal));
		} catch {
			return; // the same filter is asked for by the results, which say what is wrong
		}
		const chosen = of(name, "=").map((filter) => filter.value);
		const shown = values.slice(0, most).map(({ value, items }) => [String(value), items]);
		if (values.every(({ value }) => value > 0)) shown.sort(([a], [b]) => b - a); // the newest year first
		// What is chosen stays in sight, also where the other filters leave nothing of it.
		for (const value of chosen) if (!shown.some(([other]) => other === value)) shown.unshift([value, 0]);
		const held = body.contains(document.activeElement) ? document.activeElement.value : null;
		body.replaceChildren(...shown.map(([value, items]) => choice(name, value, items, chosen.includes(value))));
		if (values.length > most && most < MANY) {
			body.append(button("link", t("filter.more"), () => {
				details.dataset.values = MANY;
				fill(details);
			}));
		}
		if (!shown.length) body.append(el("p", { class: "quiet", text: t("filter.none") }));
		// The box that was just ticked keeps the keyboard.
		if (held !== null) [...body.querySelectorAll("input")].find((input) => input.value === held)?.focus();
	}

	function choice(name, value, items, checked) {
		const tick = (event) => {
			const rest = state.filters.filter((filter) => filter.name + filter.sign + filter.value !== `${name}=${value}`);
			change({ filters: event.target.checked ? [...rest, { name, sign: "=", value }] : rest });
		};
		const input = el("input", { type: "checkbox", value, on: { change: tick } });
		input.checked = checked;
		return el("label", { class: "choice" }, input, el("span", { class: "value", text: valueName(name, value) }),
			el("span", { class: "items", text: count(items) }));
	}

	let drawn = "";
	function refresh() {
		asked.abort();
		asked = new AbortController();
		drawn = JSON.stringify([whereOf(state), state.kind]);
		for (const details of groups.children) {
			const name = details.dataset.field;
			const chosen = state.filters.filter((filter) => filter.name === name).length;
			$(".chosen", details).textContent = chosen || "";
			for (const input of details.querySelectorAll("input[data-sign]")) {
				input.value = of(name, input.dataset.sign)[0]?.value ?? "";
			}
			if (details.dataset.values && details.open) fill(details);
		}
	}

	on("#where", "change", (event) => change({ where: event.target.value.trim() }));
	on("#words", "change", (event) => change({ words: event.target.value }));

	return {
		/// Shows a state; the fields and counts are asked for only while the panel is open.
		show(next, open) {
			state = next;
			isOpen = open;
			$("#where").value = state.where;
			$("#words").value = state.words;
			if (gallery !== state.gallery) return load().catch(() => (gallery = null));
			if (isOpen && drawn !== JSON.stringify([whereOf(state), state.kind])) refresh();
			return null;
		},
		reload: () => load().catch(() => (gallery = null)),
	};
}
