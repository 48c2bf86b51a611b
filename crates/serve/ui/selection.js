// What is selected, and what can be done with it: the bar at the bottom of the window.

import { $, button, el, icon, on } from "./dom.js";
import * as api from "./api.js";
import { FORMATS, exported, save, zipped } from "./export.js";
import { count, t } from "./i18n.js";
import { current } from "./state.js";
import { ask, tagsOf, toast } from "./widgets.js";

/// `all()` are all hits that are loaded, `isRemoved()` tells whether they are removed ones; `changed()` is called after the
/// selection has changed, the others after items have.
export function createSelection({ mayWrite, all, isRemoved, changed, gone, back, tagged }) {
	const items = new Map(); // hits by id
	const bar = $("#selection");
	let isOn = false;
	let isBusy = false;

	const marks = {
		has: (id) => items.has(id),
		isOn: () => isOn,
		set(hits, isMarked) {
			for (const hit of hits) isMarked ? items.set(hit.id, hit) : items.delete(hit.id);
			select(isOn || items.size > 0);
		},
	};

	function select(next) {
		isOn = next;
		if (!isOn) items.clear();
		document.body.classList.toggle("selecting", isOn);
		$("#select").ariaPressed = isOn;
		draw();
		changed();
	}

	function draw() {
		bar.hidden = !isOn;
		if (!isOn) return;
		const held = [...bar.children].indexOf(document.activeElement);
		const act = (text, work) => {
			const node = button("button", text, () => run(work));
			node.disabled = !items.size || isBusy;
			return node;
		};
		const writing = isRemoved()
			? [act(t("Restore"), restore)]
			: [act(t("Tag"), tag), act(t("Remove from gallery"), remove)];
		const close = button("round", "", () => select(false), icon("close"));
		close.ariaLabel = close.title = t("Clear the selection");
		bar.replaceChildren(close,
			el("span", { role: "status", text: t("{n} selected", { n: count(items.size) }) }),
			button("button", t("All"), () => marks.set(all(), true)),
			act(t("Download"), download),
			...Object.keys(FORMATS).map((format) =>
				act(format, async () => save(...FORMATS[format], await exported(format, [...items.values()], about)))),
			...(mayWrite() ? writing : []));
		bar.children[held]?.focus();
	}

	async function run(work) {
		isBusy = true;
		draw();
		await work().catch((error) => toast(error.message));
		isBusy = false;
		draw();
	}

	const about = ({ id }) => api.get(`/v1/items/${id}`, { gallery: current().gallery });
	const body = (more = {}) => ({ gallery: current().gallery || undefined, ids: [...items.keys()], ...more });

	async function download() {
		const hits = [...items.values()].filter((hit) => hit.thumbnail);
		const told = (at) => toast(t("Packing {at} of {n}", { at, n: hits.length }));
		const { blob, missing } = await zipped(hits, (hit) => api.imageOf(hit.owner ?? hit.id, current().gallery), told);
		save("tuwen.zip", "application/zip", blob);
		toast(missing ? t("Files that could not be read: {n}", { n: missing }) : t("Packed."));
	}

	async function tag() {
		const note = t("Several with commas between them.");
		const given = await ask(t("Tag what is selected"), { note, list: "tags", ways: ["Add", "Take away"] });
		if (!given) return;
		const tags = tagsOf(given.text);
		const { changed: n } = await api.post("/v1/items/tags", body({ [given.way ? "remove" : "add"]: tags }));
		toast(t("Items changed: {n}", { n: count(n) }));
		tagged();
	}

	async function remove() {
		const chosen = body();
		const { removed } = await api.remove("/v1/items", chosen);
		leave(chosen.ids);
		const undo = () => api.post("/v1/items/restore", chosen).then(({ restored: n }) => {
			toast(t("{n} restored.", { n: count(n) }));
			back();
		}, (error) => toast(error.message));
		toast(t("{n} removed from the gallery; the files stay.", { n: count(removed) }), t("Undo"), undo);
	}

	async function restore() {
		const chosen = body();
		const { restored } = await api.post("/v1/items/restore", chosen);
		leave(chosen.ids);
		toast(t("{n} restored.", { n: count(restored) }));
	}

	function leave(ids) {
		gone(new Set(ids));
		select(false);
	}

	on("#select", "click", () => select(!isOn));

	return { marks, draw, clear: () => isOn && select(false) };
}
