// The strip below the box: what is searched, how it is sorted, the threshold, the chips of filters, and the count.

import { $, chip, el, on } from "./dom.js";
import { fieldName, t } from "./i18n.js";
import { hasQuery, isMixed } from "./state.js";

const SIGNS = { "=": ":", ">=": " ≥", "<=": " ≤" };
const DRAG_MS = 120;

/// Wires the strip. `change(changes, how)` as for the box; `threshold(min)` is called while the slider moves.
export function createStrip({ change, threshold }) {
	const slider = $("#min");
	let pause = 0;
	const soon = (changes) => {
		clearTimeout(pause);
		pause = setTimeout(change, DRAG_MS, changes, "type");
	};

	for (const radio of document.querySelectorAll("input[name=kind]")) {
		on(radio, "change", () => change({ kind: radio.value }));
	}
	on("#sort", "change", (event) => change({ sort: event.target.value }));
	on(slider, "input", () => {
		const min = Number(slider.value);
		label(min);
		threshold(min);
		soon({ min });
	});
	on("#weight", "input", (event) => soon({ weight: Number(event.target.value) }));

	function label(min) {
		const text = min > 0 ? min.toFixed(2) : t("page.min-off");
		$("#min-value").textContent = text;
		slider.setAttribute("aria-valuetext", text);
	}

	function show(state) {
		const has = hasQuery(state);
		for (const radio of document.querySelectorAll("input[name=kind]")) radio.checked = radio.value === state.kind;
		$("#sort").value = state.sort;
		$("#sort option").textContent = t(has ? "sort.relevance" : "sort.gallery");
		$("#threshold").hidden = !has;
		$("#mix").hidden = !isMixed(state);
		if (document.activeElement !== $("#weight")) $("#weight").value = state.weight;
		label(state.min);
		const chips = state.filters.map((filter) => {
			const text = `${fieldName(filter.name)}${SIGNS[filter.sign]} ${filter.value}`;
			return shown(text, () => change({ filters: state.filters.filter((other) => other !== filter) }));
		});
		if (state.where) chips.push(shown(state.where, () => change({ where: "" })));
		if (state.words !== "off") chips.push(shown(t(`words.${state.words}`), () => change({ words: "off" })));
		$("#filters-on").replaceChildren(...chips);
		$("#filters-on").hidden = !chips.length;
	}

	const shown = (text, remove) =>
		chip("filter", [el("span", { class: "chip-text", text })], t("page.remove-named", { name: text }), remove);

	return {
		show,
		/// The slider ends at the best score: beyond it nothing is left to see.
		scale(best, min) {
			const top = Math.max(0.05, min, Math.ceil(best * 100) / 100);
			slider.max = top;
			slider.value = min;
			label(min);
		},
		count: (text) => ($("#count").textContent = text),
	};
}
