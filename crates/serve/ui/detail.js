// The open item: the picture to look at closely, what is known of it, and ways on from there.

import { $, button, el, on, replace } from "./dom.js";
import * as api from "./api.js";
import { explanation } from "./explain.js";
import { scores } from "./grid.js";
import { fieldName, size, t, valueName } from "./i18n.js";
import { ALL, NO_QUERY, change, closeItem, current, set } from "./state.js";
import { chip, tagsOf, toast } from "./widgets.js";
import { zoomable } from "./zoom.js";

const ALIKE = 12;
// Told elsewhere, or only this item has them.
const LEFT_OUT = ["name", "width", "height", "bytes"];
const OWN = ["description", "latitude", "longitude", "altitude", "megapixels", "date"];

/// `step(by)` goes to a neighbour, and `has(id, by)` tells whether there is one; `lost(id, text)` is called where an item is not
/// there.
export function createDetail({ step, has, lost, mayWrite }) {
	const [dialog, stage, image, info] = [$("#detail"), $("#stage"), $("#picture"), $("#info")];
	const zoom = zoomable(stage, image, step);
	const open = (id) => set({ item: id }, "replace");
	const like = (id) => change({ ...NO_QUERY, like: id, sort: "relevance", kind: "image" });
	const filter = (name, value) => change({ ...ALL, filters: [{ name, value }] });
	let shown = null; // { id, gallery, path }
	let asked = null;

	const acts = {
		close: closeItem,
		previous: () => step(-1),
		next: () => step(1),
		"zoom-in": () => zoom.by(1.5),
		"zoom-out": () => zoom.by(1 / 1.5),
	};
	const keys = { ArrowLeft: acts.previous, ArrowRight: acts.next, "+": acts["zoom-in"], "=": acts["zoom-in"],
		"-": acts["zoom-out"], 0: zoom.reset, l: () => like(shown.id), c: copy };
	for (const [id, act] of Object.entries(acts)) on(`#${id}`, "click", act);
	on(dialog, "cancel", (event) => {
		event.preventDefault(); // the address closes it
		closeItem();
	});
	// Of the window, for nothing in the dialog has the keyboard when what had it is gone.
	on(window, "keydown", (event) => {
		if (!dialog.open || $("#ask").open || event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input") || !keys[event.key]) return;
		event.preventDefault();
		keys[event.key]();
	});
	on(stage, "click", (event) => event.target === stage && !stage.classList.contains("zoomed") && closeItem());

	async function lend(text, told) {
		// Without TLS browsers lend no clipboard, but on the own machine.
		const done = navigator.clipboard?.writeText(text);
		toast((await done?.then(() => true, () => false)) ? told : `${t("Could not copy")}: ${text}`);
	}
	function copy() {
		lend(shown.path, t("Copied"));
	}
	// A browser opens no folder.
	const inFolder = () =>
		lend(shown.path.replace(/[/\\][^/\\]*$/u, "") || "/", t("The folder's path is copied: open it in your file manager."));

	function picture({ thumbnail, image: original, text }) {
		const of = shown;
		$("#text").textContent = text ?? "";
		$("#text").hidden = Boolean(thumbnail);
		image.hidden = !thumbnail;
		if (thumbnail && !image.src) image.src = thumbnail;
		const whole = new Image();
		whole.src = original ?? "";
		// Decoded first, or it would be painted from the top down. What browsers cannot read stays a thumbnail.
		whole.decode().then(() => shown === of && (image.src = original), () => {});
	}

	async function show(id, hit, gallery) {
		$("#previous").disabled = !has(id, -1);
		$("#next").disabled = !has(id, 1);
		if (!dialog.open) dialog.showModal();
		if (shown?.id === id && shown.gallery === gallery) return;
		shown = { id, gallery, path: hit?.path };
		asked?.abort();
		asked = new AbortController();
		const { signal } = asked;
		image.removeAttribute("src");
		zoom.reset();
		if (hit) picture(hit);
		image.alt = hit?.caption ?? hit?.name ?? "";
		info.scrollTop = 0;
		info.replaceChildren(...heading(hit ?? { id }, hit));
		try {
			const item = await api.get(`/v1/items/${id}`, { gallery }, signal);
			if (item.removed && !current().removed) return lost(id, t("This item was removed from the gallery."));
			// A caption shows the picture that it belongs to.
			const owner = item.kind === "text" && item.owner ? await api.get(`/v1/items/${item.owner}`, { gallery }, signal) : null;
			shown.path = item.path;
			picture(owner ?? item);
			image.alt = item.captions?.[0]?.text ?? item.text ?? item.name;
			// The one that the query is nearest to comes first.
			const captions = (item.captions ?? []).sort((a, b) => (b.text === hit?.caption) - (a.text === hit?.caption));
			info.replaceChildren(...heading(item, hit),
				...(owner ? [button("link", t("Caption of {name}", { name: owner.name }), () => open(owner.id))] : []),
				...section("Near-duplicates", smalls(hit?.duplicates ?? [])),
				...section("Words of the query", words(hit)),
				...section("Why this picture", why(owner ?? item, hit, gallery, signal)),
				...section("Captions", captions.map(caption)),
				...section("Captions of others like it", (item.near ?? []).map(({ text, owner, id: own }) => button("near link", text, () => open(owner ?? own)))),
				...(item.kind === "image" ? [describe(item)] : []),
				...section("Tags", mayWrite() ? [tags(item)] : []),
				...section("Details", [facts(item)]));
			const { hits } = await api.get(`/v1/items/${id}/similar`, { k: ALIKE + 1, gallery }, signal);
			info.append(...section("Similar", smalls(hits.filter((other) => other.id !== id && other.thumbnail).slice(0, ALIKE))));
		} catch (error) {
			if (signal.aborted) return;
			if (error.status === 404) return lost(id, t("This item is not in the gallery."));
			info.append(el("p", { class: "notice", role: "alert", text: error.message }));
		}
	}

	const section = (title, content) => (content.length ? [el("h3", { text: t(title) }), el("div", { class: title }, ...content)] : []);

	/// What a machine says is told from what people say.
	const caption = ({ text, made_by: by }) => el("p", {}, text, by && el("span", { class: "quiet", text: ` ${t("made by {name}", { name: by })}` }));

	/// Asks for captions of the picture, and shows them in the button's place.
	function describe({ id }) {
		const { gallery } = shown;
		const place = el("div", { class: "described" });
		const make = button("button", t("Describe it"), async () => {
			replace(place, el("p", { class: "quiet", role: "status", text: "…" }));
			try {
				const { made_by, captions } = await api.post("/v1/caption", { like: id, gallery: gallery || undefined });
				replace(place, ...captions.map(({ text }) => caption({ text, made_by })));
			} catch (error) {
				replace(place, el("p", { class: "notice", role: "alert", text: error.message }));
			}
		});
		place.append(make);
		return place;
	}

	const PLACES = { text: "Text", caption: "Caption", name: "Name", tag: "Tags" };
	const words = (hit) => (hit?.why?.words ?? []).map(({ word, in: places }) =>
		el("p", {}, word, el("span", { class: "quiet", text: ` ${places.map((place) => t(PLACES[place])).join(", ")}` })));

	// Words alone: of a picture as a query there is nothing to underline.
	const why = (item, hit, gallery, signal) =>
		(item.thumbnail && hit?.score && current().q.trim() ? [explanation(item.id, current().q.trim(), gallery, hit?.reranked?.by.split(", ").at(-1), signal)] : []);

	const heading = (item, hit) => [
		el("h2", { text: item.text ?? item.name ?? "" }),
		el("p", { class: "quiet", text: hit ? scores(hit).join(" · ") : "" }),
		el("div", { class: "actions" },
			button("button primary", t("More like this"), () => like(item.id)),
			item.path && button("button", t("Copy path"), copy),
			item.path && button("button", t("Show in folder"), inFolder)),
	];

	const smalls = (hits) => hits.map((hit) =>
		button("small", null, () => open(hit.id), el("img", { src: hit.thumbnail, alt: hit.caption ?? hit.name, loading: "lazy" })));

	function facts(item) {
		const list = el("dl");
		const fact = (name, ...values) => list.append(el("dt", { text: name }), el("dd", {}, ...values));
		if (item.width) fact(t("Size"), `${item.width} × ${item.height} · ${size(item.bytes)}`);
		if (item.path) fact(t("Path"), el("span", { class: "path", text: item.path }));
		const isShown = ({ name }) => !LEFT_OUT.includes(name) && !(name === "tag" && mayWrite());
		for (const [name, values] of Map.groupBy((item.fields ?? []).filter(isShown), (field) => field.name)) {
			fact(fieldName(name), ...values.map(({ value }) => valueOf(name, value)));
		}
		return list;
	}

	function valueOf(name, value) {
		const text = valueName(name, value);
		if (OWN.includes(name) || text.length > 80) return el("span", { class: "value", text });
		return button("value link", text, () => filter(name, String(value)));
	}

	function tags({ id, fields = [] }) {
		const { gallery } = shown;
		const held = new Set(fields.filter(({ name }) => name === "tag").map(({ value }) => String(value)));
		const input = el("input", { "aria-label": t("Add a tag"), placeholder: t("Add a tag"), list: "tags",
			change: () => tagsOf(input.value).length && put("add", tagsOf(input.value)) });
		const place = el("ul", { class: "chips" });
		const put = (how, all) => api.post("/v1/items/tags", { gallery: gallery || undefined, ids: [id], [how]: all }).then(() => {
			for (const text of all) how === "add" ? held.add(text) : held.delete(text);
			input.value = "";
			draw();
			input.focus();
		}, (error) => toast(error.message));
		function draw() {
			const one = (text) => chip("filter", [button("chip-text", text, () => filter("tag", text))], text, () => put("remove", [text]));
			place.replaceChildren(...[...held].map(one), el("li", {}, input));
		}
		draw();
		return place;
	}

	function hide() {
		if (!dialog.open) return;
		shown = null;
		asked?.abort();
		dialog.close();
		image.removeAttribute("src");
	}

	return { show, hide };
}
