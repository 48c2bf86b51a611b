// Groups of pictures that are nearly the same: one of each is kept, the others are taken out of the gallery.

import { $, button, el, on } from "./dom.js";
import * as api from "./api.js";
import { count, t } from "./i18n.js";
import { current, whereOf } from "./state.js";
import { toast } from "./widgets.js";

const PAUSE_MS = 200;

/// `open(id)` shows a picture; `gone(ids)` is called after items were removed, `back()` after they came back.
export function createDuplicates({ mayWrite, open, gone, back }) {
	const [dialog, list, slider] = [$("#duplicates"), $("#duplicate-groups"), $("#alike")];
	const told = $("#duplicate-count");
	let asked = new AbortController();
	let shown = 0; // groups that were read
	let left = 0; // groups that there are
	let pause = 0;

	async function load(more) {
		asked.abort();
		asked = new AbortController();
		if (!more) {
			shown = 0;
			list.replaceChildren();
		}
		dialog.ariaBusy = true;
		told.textContent = t("Comparing …");
		const about = { threshold: slider.value, offset: shown, gallery: current().gallery, where: whereOf(current()) };
		const { signal } = asked;
		try {
			const { groups, total } = await api.get("/v1/duplicates", about, signal);
			shown += groups.length;
			left = total;
			list.append(...groups.map(group));
			tell();
		} catch (error) {
			if (signal.aborted) return;
			told.textContent = error.message;
			if (error.status === 503 && dialog.open) pause = setTimeout(load, 2000, more);
		}
		if (!signal.aborted) dialog.ariaBusy = false;
	}

	function tell() {
		told.textContent = t(left === 1 ? "{n} group" : "{n} groups", { n: count(left) });
		$("#more-duplicates").hidden = shown >= left;
	}

	function group({ items, score }) {
		let kept = items[0];
		const node = el("li");
		const picture = (item) => {
			const choice = el("input", { type: "radio", name: `kept-${items[0].id}`, "aria-label": t("Keep {name}", { name: item.name }),
				change: () => (kept = item) });
			choice.checked = item === kept;
			return el("label", {}, el("img", { src: item.thumbnail, alt: "", loading: "lazy" }), el("span", {}, choice, item.name));
		};
		const others = items.length - 1;
		node.append(el("div", { class: "copies-of" }, ...items.map(picture)), el("div", { class: "actions" },
			mayWrite() && button("button", t("Keep one, remove {n}", { n: count(others) }), () => keep(items.filter((item) => item !== kept), node)),
			button("button", t("Open"), () => leave(kept.id)), el("span", { class: "quiet", text: score.toFixed(3) })));
		return node;
	}

	async function keep(others, node) {
		const body = { gallery: current().gallery || undefined, ids: others.map(({ id }) => id) };
		try {
			const { removed } = await api.remove("/v1/items", body);
			const next = node.nextElementSibling ?? node.previousElementSibling;
			node.remove();
			shown -= 1;
			left -= 1;
			tell();
			(next ? $("input", next) : $("#close-duplicates")).focus();
			gone(new Set(body.ids));
			toast(t("{n} removed from the gallery; the files stay.", { n: count(removed) }), t("Undo"), () =>
				api.post("/v1/items/restore", body).then(({ restored }) => {
					toast(t("{n} restored.", { n: count(restored) }));
					back();
					if (dialog.open) load();
				}, (error) => toast(error.message)));
		} catch (error) {
			toast(error.message);
		}
	}

	function leave(id) {
		dialog.close();
		open(id);
	}

	function label() {
		$("#alike-value").textContent = Number(slider.value).toFixed(2);
		slider.setAttribute("aria-valuetext", slider.value);
	}

	on(slider, "input", () => {
		label();
		clearTimeout(pause);
		pause = setTimeout(() => load(), PAUSE_MS);
	});
	on("#more-duplicates", "click", () => load(true));
	on("#close-duplicates", "click", () => dialog.close());

	return () => {
		label();
		dialog.showModal();
		load();
	};
}
