// The strip below the box: what is searched, how it is sorted, the threshold, the chips of filters, and the count.

import { $, on } from "./dom.js";
import { fieldName, t } from "./i18n.js";
import { change, hasQuery, isMixed } from "./state.js";
import { chip } from "./widgets.js";

const DRAG_MS = 120;

export function createStrip(threshold) {
	const slider = $("#min");
	let pause = 0;
	const soon = (changes) => {
		clearTimeout(pause);
		pause = setTimeout(change, DRAG_MS, changes, "type");
	};

	for (const name of ["kind", "sort"]) on(`#${name}`, "change", (event) => change({ [name]: event.target.value }));
	on("#versus", "change", (event) => change({ versus: event.target.value, min: 0 }));
	on("#weight", "input", (event) => soon({ weight: Number(event.target.value) }));
	on(slider, "input", () => {
		const min = Number(slider.value);
		label(min);
		threshold(min);
		soon({ min });
	});

	function label(min) {
		const text = min > 0 ? min.toFixed(2) : t("any");
		$("#min-value").textContent = text;
		slider.setAttribute("aria-valuetext", text);
	}

	function show(state) {
		const has = hasQuery(state);
		for (const name of ["kind", "sort", "versus"]) $(`#${name}`).value = state[name];
		$("#sort option").textContent = t(has ? "Best first" : "As indexed");
		// Scores of two models are not comparable.
		$("#threshold").hidden = !has || Boolean(state.versus);
		$("#mix").hidden = !isMixed(state);
		if (document.activeElement !== $("#weight")) $("#weight").value = state.weight;
		label(state.min);
		const shown = (text, changes) => chip("filter", [text], text, () => change(changes));
		const chips = state.filters.map((filter) =>
			shown(`${fieldName(filter.name)}: ${filter.value}`, { filters: state.filters.filter((other) => other !== filter) }));
		if (state.removed) chips.push(shown(t("Removed pictures"), { removed: "" }));
		$("#filters-on").replaceChildren(...chips);
		$("#filters-on").hidden = !chips.length;
	}

	return {
		show,
		/// The slider ends where the best hit is still there.
		scale(best, min) {
			slider.max = Math.max(0.005, min, Math.floor(best * 200) / 200);
			slider.value = min;
			label(min);
		},
	};
}
