// The open item: the picture to look at closely, what is known of it, and ways on from there.

import { $, button, el, icon, on } from "./dom.js";
import * as api from "./api.js";
import { fieldName, size, t, valueName } from "./i18n.js";
import { zoomable } from "./zoom.js";

const ALIKE = 12;

/// Wires the dialog. `step(by)` asks for a neighbour, `close()` to be closed, `like(id)` for more like it, `filter(name,
/// value)` for all items with a value, `open(id)` for another; `ends(id)` tells whether there are a previous and a next.
export function createDetail({ step, close, like, filter, open, ends }) {
	const [dialog, stage, image, info] = [$("#detail"), $("#stage"), $("#picture"), $("#info")];
	const zoom = zoomable(stage, image, step);
	const [previous, next] = [() => step(-1), () => step(1)];
	const [closer, away] = [() => zoom.by(1.5), () => zoom.by(1 / 1.5)];
	let shown = null;
	let asked = null;

	const buttons = { close, previous, next, about, "zoom-in": closer, "zoom-out": away };
	for (const [id, act] of Object.entries(buttons)) on(`#${id}`, "click", act);

	on(dialog, "cancel", (event) => {
		event.preventDefault(); // the address closes it
		close();
	});
	on(dialog, "keydown", (event) => {
		if (event.ctrlKey || event.metaKey || event.altKey) return;
		const keys = { ArrowLeft: previous, ArrowRight: next, "+": closer, "=": closer, "-": away, 0: zoom.reset,
			l: () => like(shown), c: copy, i: about };
		if (!keys[event.key]) return;
		event.preventDefault();
		keys[event.key]();
	});
	on(stage, "click", (event) => event.target === stage && !stage.classList.contains("zoomed") && close());

	function about() {
		$("#about").ariaPressed = !dialog.classList.toggle("without-info");
		zoom.reset();
	}

	let path = "";
	async function copy() {
		let done = true;
		try {
			await navigator.clipboard.writeText(path);
		} catch {
			// Without TLS browsers lend no clipboard; the old way still works there.
			const field = el("textarea", { class: "unseen" });
			field.value = path;
			dialog.append(field);
			field.select();
			done = document.execCommand("copy");
			field.remove();
			$(".copy", info)?.focus();
		}
		const label = $(".copy span", info);
		if (!label) return;
		label.textContent = t(done ? "detail.copied" : "detail.not-copied");
		setTimeout(() => (label.textContent = t("detail.copy")), 1500);
	}

	/// Shows what is known of the picture at once, and the picture itself when it has come.
	function picture({ thumbnail, image: original, text }) {
		const hasPicture = Boolean(thumbnail || original);
		$("#text").hidden = hasPicture;
		$("#text").textContent = text ?? "";
		image.hidden = !hasPicture;
		if (thumbnail && !image.src) image.src = thumbnail;
		if (!original) return;
		const whole = new Image();
		const of = shown;
		whole.src = original;
		// Decoded first, or a large picture would be painted from the top down. What browsers cannot read stays a thumbnail.
		whole.decode().then(() => shown === of && (image.src = original), () => {});
	}

	async function show(id, hit, gallery) {
		const has = ends(id);
		$("#previous").disabled = !has.previous;
		$("#next").disabled = !has.next;
		if (!dialog.open) dialog.showModal();
		if (shown === id) return;
		shown = id;
		asked?.abort();
		asked = new AbortController();
		const { signal } = asked;
		image.removeAttribute("src");
		zoom.reset();
		if (hit) picture(hit);
		image.alt = hit?.caption ?? hit?.name ?? "";
		info.scrollTop = 0;
		info.replaceChildren(...heading(hit ?? { id, name: "" }, hit));
		try {
			const item = await api.item(id, gallery, signal);
			// A caption shows the picture that it belongs to.
			const owner = item.kind === "text" && item.owner ? await api.item(item.owner, gallery, signal) : null;
			picture(owner ?? item);
			image.alt = item.captions?.[0]?.text ?? item.text ?? item.name ?? "";
			info.replaceChildren(...heading(item, hit), ...(owner ? [belongs(owner)] : []), ...rest(item));
			const alike = await api.similar(id, ALIKE + 1, gallery, signal);
			$("#alike")?.append(...alike.hits.filter((other) => other.id !== id && other.thumbnail).slice(0, ALIKE).map(small));
		} catch (error) {
			if (signal.aborted) return;
			info.append(el("p", { class: "notice", role: "alert", text: error.message }));
		}
	}

	function heading(item, hit) {
		path = item.path ?? "";
		const action = (className, name, text, click) =>
			button(`button ${className}`, null, click, icon(name), el("span", { text }));
		const score = hit?.score?.toFixed(3);
		return [
			el("h2", { id: "detail-title", text: item.text ?? item.name }),
			el("p", { class: "quiet", text: score ? t("page.score", { score }) : "" }),
			el("div", { class: "actions" },
				action("primary", "like", t("detail.like"), () => like(item.id)),
				Boolean(path) && action("copy", "copy", t("detail.copy"), copy)),
		];
	}

	const belongs = (owner) =>
		el("p", { class: "of" }, button("link", t("detail.of", { name: owner.name }), () => open(owner.id)));

	function rest(item) {
		const captions = item.captions ?? [];
		const facts = [];
		const fact = (name, ...values) => facts.push(el("dt", { text: name }), el("dd", {}, ...values));
		if (item.width) fact(t("detail.size"), [`${item.width} × ${item.height}`, item.bytes && size(item.bytes)].filter(Boolean).join(" · "));
		if (item.path) fact(t("detail.path"), el("span", { class: "path", text: item.path }));
		const fields = (item.fields ?? []).filter(({ name }) => !["name", "width", "height", "bytes"].includes(name));
		for (const name of new Set(fields.map((field) => field.name))) {
			fact(fieldName(name), ...fields.filter((field) => field.name === name).map(({ value }) => valueOf(name, value)));
		}
		return [
			captions.length > 0 && el("section", {}, el("h3", { text: t("detail.captions") }),
				el("ul", { class: "captions" }, ...captions.map(({ text }) => el("li", { text })))),
			facts.length > 0 && el("section", {}, el("h3", { text: t("detail.fields") }), el("dl", {}, ...facts)),
			el("section", {}, el("h3", { text: t("detail.alike") }), el("div", { id: "alike" })),
		].filter(Boolean);
	}

	/// A value that leads to all items that have it; long texts and exact numbers would lead only here.
	function valueOf(name, value) {
		const text = valueName(name, value);
		const isOwn = ["description", "latitude", "longitude", "altitude", "megapixels", "date"].includes(name);
		if (isOwn || text.length > 80) return el("span", { class: "value", text });
		const link = button("value link", text, () => filter(name, String(value)));
		link.title = t("detail.filter", { name: fieldName(name), value: text });
		return link;
	}

	const small = (hit) =>
		button("small", null, () => open(hit.id), el("img", { src: hit.thumbnail, alt: hit.caption ?? hit.name, loading: "lazy" }));

	function hide() {
		if (!dialog.open) return;
		shown = null;
		asked?.abort();
		dialog.close();
		image.removeAttribute("src");
	}

	return { show, hide };
}
