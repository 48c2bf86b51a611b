// The results: a justified grid. Places are computed from the sizes that hits carry, before any thumbnail is there, so
// nothing ever moves; only rows near the window are in the document, so a hundred thousand hits scroll like a hundred.

import { $, el, on } from "./dom.js";
import { ITEM } from "./picture.js";
import { t } from "./i18n.js";

const NARROWEST = 0.5;
const WIDEST = 2.6;

/// Width by height of a hit's tile. Extreme panoramas are cut, or they would be threads.
function ratioOf(hit) {
	if (hit.width && hit.height) return Math.min(WIDEST, Math.max(NARROWEST, hit.width / hit.height));
	const wide = (hit.text?.match(/[\u2e80-\uffef]/gu) ?? []).length;
	return Math.min(3, Math.max(1.6, ((hit.text?.length ?? 0) + wide) / 16));
}

/// Rows of about the height `target` that fill `width` exactly: [{ from, to, top, height }]. An unfinished last row
/// is left out while more hits may come, since they would change it.
export function layout(ratios, width, target, gap, isDone) {
	const rows = [];
	let [from, sum, top] = [0, 0, 0];
	const close = (to, height) => {
		rows.push({ from, to, top, height });
		[from, sum, top] = [to, 0, top + height + gap];
	};
	const heightOf = (count, ratio) => (width - gap * (count - 1)) / ratio;
	for (let at = 0; at < ratios.length; at += 1) {
		const before = sum;
		sum += ratios[at];
		const height = heightOf(at + 1 - from, sum);
		if (height > target) continue;
		// The row with this tile is too low, the one without it too high: whichever is nearer.
		const without = at > from ? heightOf(at - from, before) : Infinity;
		if (without - target < target - height) {
			close(at, without);
			sum = ratios[at];
			if (heightOf(1, sum) <= target) close(at + 1, heightOf(1, sum));
		} else close(at + 1, height);
	}
	if (isDone && from < ratios.length) close(ratios.length, Math.min(target, heightOf(ratios.length - from, sum)));
	return rows;
}

/// The grid in the list `root`. `open(hit)` is called for a chosen tile, `more()` near the end, `leave()` above the first
/// row; `address(hit)` is where a tile leads in a new tab.
export function createGrid(root, { open, more, leave, address }) {
	let hits = [];
	let isDone = true;
	let rows = [];
	let focused = 0;
	let width = 0;
	const tiles = new Map(); // by hit id

	const measure = () => {
		const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
		const lines = hits[0]?.text ? 0.55 : 1; // a caption is short
		const target = lines * (width < 40 * rem ? 7.6 : width < 70 * rem ? 11 : 13) * rem;
		const gap = width < 40 * rem ? 3 : 6;
		rows = layout(hits.map(ratioOf), width, target, gap, isDone);
		const last = rows.at(-1);
		root.style.height = `${last ? last.top + last.height : 0}px`;
		root.dataset.gap = gap;
	};

	const rowOf = (index) => rows.find((row) => index >= row.from && index < row.to);

	function draw() {
		const top = -root.getBoundingClientRect().top;
		const [low, high] = [top - innerHeight, top + 2 * innerHeight];
		const wanted = rows.filter((row) => row.top + row.height > low && row.top < high);
		const kept = rowOf(focused); // or the keyboard would lose its place
		if (kept && !wanted.includes(kept) && root.contains(document.activeElement)) wanted.push(kept);
		wanted.sort((a, b) => a.from - b.from);
		const shown = wanted.flatMap((row) => Array.from({ length: row.to - row.from }, (_, at) => hits[row.from + at]));
		const ids = new Set(shown.map((hit) => hit.id));
		for (const [id, tile] of tiles) {
			if (ids.has(id)) continue;
			tile.remove();
			tiles.delete(id);
		}
		let cursor = root.firstChild;
		for (const row of wanted) {
			let left = 0;
			for (let index = row.from; index < row.to; index += 1) {
				const tile = tileOf(hits[index], index);
				const wide = ratioOf(hits[index]) * row.height;
				tile.style.cssText = `width:${wide}px;height:${row.height}px;transform:translate(${left}px,${row.top}px)`;
				left += wide + Number(root.dataset.gap);
				// A tile that is moved in the document loses the focus, so only the others are.
				if (tile === cursor) cursor = cursor.nextSibling;
				else root.insertBefore(tile, cursor);
			}
		}
		if (!isDone && (rows.length === 0 || rows.at(-1).top - top < 3 * innerHeight)) more();
	}

	function tileOf(hit, index) {
		const tile = tiles.get(hit.id) ?? makeTile(hit);
		tiles.set(hit.id, tile);
		tile.ariaPosInSet = index + 1;
		tile.ariaSetSize = isDone ? hits.length : -1;
		const link = tile.firstChild;
		link.tabIndex = index === focused ? 0 : -1;
		link.dataset.index = index;
		return tile;
	}

	function makeTile(hit) {
		const about = el("span", { class: "about", "aria-hidden": "true" }, el("span", { class: "caption" }), el("span", { class: "score" }));
		const shown = hit.thumbnail ? thumbnail(hit) : el("span", { class: "words", text: hit.text ?? hit.name });
		const link = el("a", { draggable: "true" }, shown, about);
		const tile = el("li", { class: hit.thumbnail ? "tile" : "tile text" }, link);
		describe(tile, hit);
		return tile;
	}

	/// What depends on the query: an item's tile serves one answer after the other.
	function describe(tile, hit) {
		const words = hit.text ?? hit.caption ?? hit.name;
		const score = hit.score === undefined ? "" : hit.score.toFixed(3);
		const link = tile.firstChild;
		link.href = address(hit);
		link.ariaLabel = score ? `${words} · ${t("page.score", { score })}` : words;
		$(".caption", tile).textContent = hit.text ? hit.name : words;
		$(".score", tile).textContent = score;
		tile.dataset.thumbnail = hit.thumbnail ?? "";
	}

	function thumbnail(hit) {
		const image = el("img", { alt: "", decoding: "async", draggable: "false" });
		on(image, "load", () => image.classList.add("there"));
		on(image, "error", () => image.replaceWith(el("span", { class: "words", text: hit.name })));
		image.src = hit.thumbnail;
		if (image.complete) image.classList.add("there");
		return image;
	}

	const indexOf = (event) => event.target.closest("a[data-index]")?.dataset.index;
	const hitOf = (event) => hits[indexOf(event)];

	on(root, "click", (event) => {
		const hit = hitOf(event);
		if (!hit || event.metaKey || event.ctrlKey || event.shiftKey) return;
		event.preventDefault();
		focused = hits.indexOf(hit);
		open(hit);
	});
	on(root, "dragstart", (event) => {
		const hit = hitOf(event);
		if (hit) event.dataTransfer.setData(ITEM, hit.id);
	});
	on(root, "focusin", (event) => {
		const index = indexOf(event);
		if (index === undefined) return;
		focused = Number(index);
		for (const { firstChild: link } of tiles.values()) link.tabIndex = Number(link.dataset.index) === focused ? 0 : -1;
	});
	on(root, "keydown", (event) => {
		if (event.ctrlKey || event.metaKey || event.altKey) return;
		const to = target(event.key);
		if (to === undefined) return;
		event.preventDefault();
		if (to < 0) leave();
		else focus(to);
	});

	/// Where a key leads from the focused tile; -1 is out of the grid.
	function target(key) {
		const last = rows.at(-1).to - 1;
		const row = rows.indexOf(rowOf(focused));
		const page = Math.max(1, Math.floor(innerHeight / rows[row].height) - 1);
		const by = (step) => nearest(row, Math.min(rows.length - 1, Math.max(0, row + step)));
		return {
			ArrowRight: Math.min(last, focused + 1),
			ArrowLeft: Math.max(0, focused - 1),
			ArrowDown: by(1),
			ArrowUp: row ? by(-1) : -1,
			PageDown: by(page),
			PageUp: by(-page),
			Home: 0,
			End: last,
		}[key];
	}

	/// The tile of row `to` above or below the middle of the focused one.
	function nearest(from, to) {
		if (from === to) return focused;
		const middle = (row, index) =>
			row.height * (hits.slice(row.from, index).reduce((sum, hit) => sum + ratioOf(hit), 0) + ratioOf(hits[index]) / 2);
		const away = (index) => Math.abs(middle(rows[to], index) - middle(rows[from], focused));
		let best = rows[to].from;
		for (let index = best; index < rows[to].to; index += 1) if (away(index) < away(best)) best = index;
		return best;
	}

	/// Moves the keyboard to a tile and scrolls it into view.
	function focus(index = focused) {
		const row = rowOf(index);
		if (!row) return;
		focused = index;
		const top = root.getBoundingClientRect().top + row.top;
		const bar = parseFloat(getComputedStyle(document.documentElement).scrollPaddingTop) || 0;
		if (top < bar) scrollBy(0, top - bar);
		else if (top + row.height > innerHeight) scrollBy(0, top + row.height - innerHeight + 8);
		draw();
		tiles.get(hits[index].id)?.firstChild.focus({ preventScroll: true });
	}

	/// Shows an answer; with `grows` it is the same one with more hits, and tiles stay as they are.
	function show(next, done, grows = false) {
		if (!grows) {
			focused = 0;
			for (const hit of next) {
				const tile = tiles.get(hit.id);
				if (tile?.dataset.thumbnail === (hit.thumbnail ?? "")) describe(tile, hit);
				else if (tile) {
					// The same number in another gallery.
					tile.remove();
					tiles.delete(hit.id);
				}
			}
		}
		[hits, isDone] = [next, done];
		measure();
		draw();
	}

	let frame = 0;
	const later = () => {
		frame ||= requestAnimationFrame(() => {
			frame = 0;
			draw();
		});
	};
	on(window, "scroll", later, { passive: true });
	on(window, "resize", later);
	new ResizeObserver(() => {
		if (root.clientWidth === width) return;
		// What stood at the top of the window stays there.
		const top = -root.getBoundingClientRect().top;
		const first = rows.find((row) => row.top + row.height > top);
		const offset = first && top > 0 ? top - first.top : null;
		width = root.clientWidth;
		measure();
		const row = offset !== null && rowOf(first.from);
		if (row) scrollBy(0, row.top + Math.min(offset, row.height) - top);
		draw();
	}).observe(root);

	return {
		show,
		focus,
		hits: () => hits,
		isDone: () => isDone,
		indexOf: (id) => hits.findIndex((hit) => hit.id === id),
	};
}
