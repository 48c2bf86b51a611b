// Two galleries' answers to one query side by side: which pictures both have found, at which places, and which only one.

import { $, $$, el, on } from "./dom.js";
import { count, t } from "./i18n.js";

const DEPTH = 20; // a picture that one has among so many and the other has not, only one has found

/// What is the same in any gallery: a picture's content, which its thumbnail's address names, and what a caption says.
const keyOf = ({ thumbnail, name, text }) => [/[?&]v=(\w+)/u.exec(thumbnail)?.[1] ?? name, text].join("\n");

/// The first place of each, from 0.
function placesOf(hits) {
	const places = new Map();
	for (const [at, key] of hits.map(keyOf).entries()) if (!places.has(key)) places.set(key, at);
	return places;
}

/// `columns()` are the two, or nothing where there is one.
export function createPair(columns) {
	let places = null; // of both, while they can be compared

	/// After one of them has shown an answer. Without a ranking, and while one still has another query's answer, nothing is said.
	function draw(isRanked) {
		const both = columns();
		const isReady = both && isRanked && both.every(({ answers, isStale }) => answers.isSettled && !isStale);
		places = isReady ? both.map(({ grid }) => placesOf(grid.hits())) : null;
		both?.forEach((column, own) => {
			const hits = column.grid.hits();
			const other = places?.[1 - own];
			column.sum.textContent = other ? sum(hits.slice(0, DEPTH), other) : "";
			$$(".tile", column.root).forEach((tile, at) => mark(tile, at, other, other && other.get(keyOf(hits[at]))));
		});
	}

	function sum(first, other) {
		const both = first.filter((hit) => other.get(keyOf(hit)) < DEPTH).length;
		return t("Of the first {n}: {both} in both, {alone} only here", { n: count(first.length), both: count(both), alone: count(first.length - both) });
	}

	/// `there` is the other column's place.
	function mark(tile, here, other, there) {
		const known = $(".place", tile);
		if (!other) return known?.remove();
		const node = known ?? tile.firstChild.appendChild(el("span", { class: "place" }));
		const by = there - here;
		const isUnknown = there === undefined;
		const isAlone = here < DEPTH && !(there < DEPTH);
		const moved = isUnknown ? "" : by ? `${by > 0 ? "▲" : "▼"}${count(Math.abs(by))}` : "=";
		const short = [isAlone && t("only here"), moved].filter(Boolean).join(" ") || "–";
		const long = isUnknown
			? t("Not among the first {n} there", { n: count(other.size) })
			: t("Place {here} here, {there} there", { here: count(here + 1), there: count(there + 1) });
		node.title = long;
		node.classList.toggle("alone", isAlone);
		node.replaceChildren(el("span", { "aria-hidden": "true", text: short }), el("span", { class: "unseen", text: long }));
	}

	/// The other column's tile of the same picture.
	function twin(target) {
		const tile = places && target.closest?.(".tile");
		if (!tile) return null;
		const both = columns();
		const own = both[0].root.contains(tile) ? 0 : 1;
		const key = keyOf(both[own].grid.hits()[tile.dataset.index]);
		const at = places[1 - own].get(key);
		return at === undefined ? null : { grid: both[1 - own].grid, at, tile: $$(".tile", both[1 - own].root)[at] };
	}

	for (const event of ["mouseover", "focusin"]) {
		on("#columns", event, ({ target }) => {
			for (const tile of $$(".twin")) tile.classList.remove("twin");
			twin(target)?.tile.classList.add("twin");
		});
	}

	return {
		draw,
		/// Goes to the same picture in the other column.
		cross() {
			const to = twin(document.activeElement);
			to?.grid.focus(to.at);
		},
	};
}
