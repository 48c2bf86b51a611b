// The results: a justified grid. A row's tiles grow alike until they fill it (style.css), from the sizes that hits carry, so
// that nothing moves when thumbnails come.

import { $, el, on } from "./dom.js";
import { percent, t } from "./i18n.js";

/// By how many places a hit that was looked at again has moved.
const moved = ({ rank, reranked }) => {
	const up = reranked ? reranked.from - rank : 0;
	return up ? (up > 0 ? `↑${up}` : `↓${-up}`) : reranked ? "＝" : "";
};

/// Width by height of a hit's tile; a caption's picture is cut. Extreme panoramas are too, or they would be threads.
const ratioOf = ({ width, height }) => Math.min(2.6, Math.max(0.5, width / height || 1.3));

/// What is known of how well a hit fits.
export const scores = (hit) =>
	[hit.score?.toFixed(3), hit.probability !== undefined && percent(hit.probability), moved(hit)].filter(Boolean);

/// The words of the query that a hit has; of a picture without captions what is said of the one that is most like it.
export const because = ({ why = {} }) =>
	[(why.words ?? []).map(({ word }) => word).join(", "), why.near && `≈ ${why.near.text}`].filter(Boolean);

/// `more()` is called near the end, `leave()` on the way up from the first row; `address(hit)` is where a tile leads in a new
/// tab; `marks` is what is selected, where something can be.
export function createGrid(root, { open, more, leave, address, marks }) {
	let hits = [];
	let isDone = true;
	let focused = 0;
	let anchor = 0; // where a selected range begins
	const tiles = new Map(); // by hit id
	const end = el("div");
	root.after(end);
	const goOn = () => !isDone && end.getBoundingClientRect().top < innerHeight + 2000 && more();
	// On a short page the end never crosses that line, and its observer is silent.
	addEventListener("scroll", goOn, { passive: true });
	new IntersectionObserver(goOn, { rootMargin: "2000px" }).observe(end);

	function tileOf(hit, index) {
		// An item's tile serves one answer after the other, but the same number in another gallery is another item.
		const known = tiles.get(hit.id);
		const tile = known?.dataset.thumbnail === (hit.thumbnail ?? "") ? known : makeTile(hit);
		tiles.set(hit.id, tile);
		tile.dataset.index = index;
		const link = tile.firstChild;
		const copies = $(".copies", tile);
		link.href = address(hit);
		link.tabIndex = index === focused ? 0 : -1;
		$(".caption", tile).textContent = hit.text ?? hit.caption ?? hit.name;
		$(".score", tile).textContent = scores(hit).join(" · ");
		$(".score", tile).title = hit.reranked ? t("was at {rank} before it was looked at again", { rank: hit.reranked.from }) : "";
		$(".why", tile).textContent = because(hit).join(" · ");
		copies.textContent = hit.duplicates?.length ? `+${hit.duplicates.length}` : "";
		copies.title = t("Near-duplicates");
		mark(tile, hit);
		return tile;
	}

	function makeTile(hit) {
		const words = el("span", { class: "words", text: hit.text ? "" : hit.name });
		const image = hit.thumbnail && el("img", { alt: "", loading: "lazy", src: hit.thumbnail,
			load: () => image.classList.add("there"), error: () => image.replaceWith(words) });
		const about = el("span", { class: "about" }, el("span", { class: "caption" }), el("span", { class: "score" }), el("span", { class: "why" }));
		const tile = el("li", { class: hit.text ? "tile text" : "tile", "data-thumbnail": hit.thumbnail ?? "" },
			el("a", {}, image || words, about, el("span", { class: "copies" })));
		if (marks) tile.append(el("button", { class: "mark", tabindex: -1, text: "✓" }));
		tile.style.setProperty("--ratio", ratioOf(hit));
		return tile;
	}

	function mark(tile, hit) {
		if (!marks) return;
		tile.classList.toggle("marked", marks.has(hit.id));
		tile.lastChild.ariaPressed = marks.has(hit.id);
		tile.lastChild.ariaLabel = t("Select {name}", { name: hit.name });
	}

	const indexOf = (event) => Number(event.target.closest(".tile")?.dataset.index ?? -1);

	/// Selects from where a range was begun to a tile.
	const extend = (to) => marks.set(hits.slice(Math.min(anchor, to), Math.max(anchor, to) + 1), true);
	function toggle(index) {
		marks.set([hits[index]], !marks.has(hits[index].id));
		anchor = index;
	}

	on(root, "click", (event) => {
		const index = indexOf(event);
		if (index < 0 || event.metaKey || event.ctrlKey) return;
		event.preventDefault();
		if (marks && event.shiftKey) extend(index);
		// Enter, which is a click without a button, always opens.
		else if (event.target.closest(".mark") || (marks?.isOn() && event.detail)) toggle(index);
		else open(hits[index]);
	});
	on(root, "focusin", (event) => {
		const link = root.children[focused]?.firstChild;
		if (link) link.tabIndex = -1;
		focused = indexOf(event);
		root.children[focused].firstChild.tabIndex = 0;
	});
	on(root, "keydown", (event) => {
		const { key, shiftKey } = event;
		const isAll = (event.ctrlKey || event.metaKey) && key === "a";
		if (event.altKey || ((event.ctrlKey || event.metaKey) && !isAll)) return;
		const to = { ArrowRight: focused + 1, ArrowLeft: focused - 1, ArrowDown: nearest(1), ArrowUp: nearest(-1) }[key];
		if (marks && isAll) marks.set(hits, true);
		else if (marks && key === "x") toggle(focused);
		else if (to === undefined) return;
		else if (to < 0) leave();
		else if (hits[to]) {
			if (!shiftKey) anchor = to;
			else if (marks) extend(to);
			focus(to);
		}
		event.preventDefault();
	});

	/// The tile below (1) or above (-1) the focused one; -1 above the first row.
	function nearest(step) {
		const at = root.children[focused];
		const away = (tile) => Math.abs(tile.offsetLeft + tile.offsetWidth / 2 - at.offsetLeft - at.offsetWidth / 2);
		const beyond = [...root.children].filter((tile) => (tile.offsetTop - at.offsetTop) * step > 0);
		const { offsetTop } = beyond.at(step > 0 ? 0 : -1) ?? {};
		const [best] = beyond.filter((tile) => tile.offsetTop === offsetTop).sort((a, b) => away(a) - away(b));
		return best ? Number(best.dataset.index) : step < 0 ? -1 : focused;
	}

	function focus(index = focused) {
		const link = root.children[index]?.firstChild;
		link?.scrollIntoView({ block: "nearest" });
		link?.focus({ preventScroll: true });
	}

	const isSeen = (tile) => {
		const { top } = tile.getBoundingClientRect();
		return top >= 0 && top < innerHeight;
	};

	/// The tile that had the keyboard last, or the first one in the window, where that one is far away.
	function enter() {
		const tiles = [...root.children];
		if (tiles.length) focus(isSeen(tiles[focused]) ? focused : Math.max(0, tiles.findIndex(isSeen)));
	}

	return {
		focus,
		enter,
		hits: () => hits,
		isDone: () => isDone,
		indexOf: (id) => hits.findIndex((hit) => hit.id === id),
		/// Shows an answer; with `isMore` it is the same one with more hits.
		show(next, done, isMore) {
			const from = isMore ? root.children.length : 0;
			const held = !isMore && root.contains(document.activeElement) && hits[focused].id;
			if (!isMore) focused = anchor = 0;
			[hits, isDone] = [next, done];
			const shown = hits.slice(from).map((hit, at) => tileOf(hit, from + at));
			if (from) root.append(...shown);
			else root.replaceChildren(...shown);
			// A reload shows the answer that was kept, then the server's: who goes through the one stays there in the other.
			const at = held ? hits.findIndex(({ id }) => id === held) : -1;
			if (at >= 0) focus(at);
			for (const [id, tile] of tiles) if (!tile.isConnected) tiles.delete(id);
			// Nothing crosses the end of the window where a page is too short to reach it.
			queueMicrotask(goOn);
		},
		remark: () => [...root.children].forEach((tile, at) => mark(tile, hits[at])),
	};
}
