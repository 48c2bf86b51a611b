// The page: one state (state.js) is shown by five parts, and asked of the server when its question has changed.

import { $, button, el, icon, isTyping, local, on, page } from "./dom.js";
import * as api from "./api.js";
import { createBox } from "./box.js";
import { createDetail } from "./detail.js";
import { createFilters } from "./filters.js";
import { createGrid } from "./grid.js";
import { createStrip } from "./strip.js";
import { count, switchLanguage, t, translate } from "./i18n.js";
import { NO_QUERY, closeItem, current, hasQuery, isMixed, set, settle, start, toAddress, whereOf } from "./state.js";
import { createAnswers } from "./answers.js";

const answers = createAnswers({ busy, shown: showAnswer, failed });
const wide = matchMedia("(min-width: 60rem)");
let isPanelOpen = wide.matches && local.get("panel", false);

const change = (changes, how = "push") => {
	// Another query has other scores: a threshold of the last one means nothing there, nor does an open item.
	const isOther = ["like", "image", "kind", "gallery"].some((name) => name in changes);
	set({ ...(isOther && { min: 0, item: null }), ...changes }, how);
};

const box = createBox({
	change,
	settled() {
		settle();
		remember();
	},
	go(address) {
		history.pushState({}, "", address);
		dispatchEvent(new PopStateEvent("popstate"));
	},
	down: () => grid.focus(),
	warn: toast,
});
const strip = createStrip({ change, threshold: (min) => view({ ...current(), min }, "same") });
const filters = createFilters({ change, known: (fields) => box.know(fields) });
const grid = createGrid($("#grid"), {
	open(hit) {
		settle();
		remember();
		set({ item: hit.id });
	},
	more: () => answers.more(),
	leave: () => box.focus(),
	address: (hit) => toAddress({ ...current(), item: hit.id }),
});
const detail = createDetail({
	step,
	close: closeItem,
	like: (id) => change({ ...NO_QUERY, like: id, sort: "relevance", kind: "image" }),
	filter: (name, value) => change({ ...NO_QUERY, filters: [{ name, sign: "=", value }], where: "" }),
	open: (id) => set({ item: id }, "replace"),
	ends(id) {
		const at = grid.indexOf(id);
		return { previous: at > 0, next: at >= 0 && (at + 1 < grid.hits().length || !grid.isDone()) };
	},
});

const remember = () => box.remember(current(), toAddress({ ...current(), item: null }));

/// Goes to a neighbour of the open item; at the end of what is loaded, more is asked for first.
async function step(by) {
	const at = grid.indexOf(current().item);
	if (at < 0) return;
	if (at + by >= grid.hits().length - 5) {
		const loading = answers.more();
		if (at + by >= grid.hits().length) await loading;
	}
	const next = grid.hits()[at + by];
	if (next) set({ item: next.id }, "replace");
}

/// What the server is asked for a state: a search, or a list where nothing is searched.
function request(state) {
	const { kind, gallery } = state;
	const where = whereOf(state);
	const sort = state.sort === "date" ? "date" : undefined;
	if (!hasQuery(state)) return { listing: true, where, kind, gallery, sort };
	return {
		query: state.q.trim() || undefined,
		image: state.image?.url,
		like: state.like ?? undefined,
		image_weight: isMixed(state) ? state.weight : undefined,
		where: where || undefined,
		kind,
		words: state.words === "off" ? undefined : state.words,
		gallery: gallery || undefined,
		sort,
		// By date, the server has to know what is good enough to be listed at all.
		threshold: sort && state.min ? state.min : undefined,
	};
}

function show(state) {
	box.show(state);
	strip.show(state);
	filters.show(state, isPanelOpen);
	$("#gallery").value = state.gallery || $("#gallery option")?.value;
	const title = state.q.trim() || (state.like !== null ? t("detail.like") : "");
	document.title = title ? `${title} · tuwen 图文` : "tuwen 图文";
	const isAsked = answers.ask(request(state), state.image?.key);
	if (!isAsked && state.min !== shownMin) view(state, "same");
	showItem(state);
}

function showItem(state) {
	if (state.item === null) {
		const wasOpen = $("#detail").open;
		detail.hide();
		if (wasOpen && lastItem !== null && grid.indexOf(lastItem) >= 0) grid.focus(grid.indexOf(lastItem));
	} else detail.show(state.item, grid.hits().find((hit) => hit.id === state.item), state.gallery);
	lastItem = state.item;
}
let lastItem = null;
let shownMin = 0;

function showAnswer(answer, how) {
	const state = current();
	$("#error").hidden = true;
	const remarks = answer.remarks.map((text) => el("p", { class: "notice", text }));
	if (answer.hasChanged) {
		remarks.push(el("p", { class: "notice" }, t("page.changed"), " ", button("link", t("page.reload"), answers.again)));
	}
	$("#remarks").replaceChildren(...remarks);
	view(state, how);
	if (state.item !== null) showItem(state);
}

const best = (answer) => answer.hits.reduce((most, hit) => Math.max(most, hit.score ?? 0), 0);

/// The hits of the answer that reach the threshold. `how` is as answers tell it, "same" where only the threshold
/// has changed, or "language".
function view(state, how) {
	const { answer } = answers;
	if (!answer) return;
	shownMin = state.min;
	strip.scale(best(answer), state.min);
	const isScored = state.min > 0 && answer.hits[0]?.score !== undefined;
	const hits = isScored ? answer.hits.filter((hit) => hit.score >= state.min) : answer.hits;
	// In the order of scores nothing that is still to come can reach it.
	const done = answer.done || (isScored && state.sort === "relevance" && hits.length < answer.hits.length);
	grid.show(hits, done, how === "more" || how === "same");
	if (how === "new") scrollTo(0, 0);
	if (how === "back") scrollTo(0, answer.scroll ?? 0);
	strip.count(isScored ? aboveText(hits.length, done, state.min, answer) : totalText(state.kind, answer));
	nothing(state, hits.length === 0 && done, answer);
}

const aboveText = (n, done, min, { total }) =>
	t("count.above", { n: count(n), more: done ? "" : "+", total: count(total), min: min.toFixed(2) });

function totalText(kind, { total, took_ms: took }) {
	const all = t(`count.${kind}${total === 1 ? ".1" : ""}`, { n: count(total) });
	return took === undefined ? all : t("count.took", { count: all, ms: Math.max(1, Math.round(took)) });
}

/// Says why nothing is shown, and offers the way out.
function nothing(state, isEmpty, answer) {
	const place = $("#nothing");
	place.hidden = !isEmpty;
	if (!isEmpty) return;
	const say = (title, text, way, changes) =>
		place.replaceChildren(
			el("h2", { text: t(title) }),
			el("p", { text }),
			...(way ? [button("button primary", t(way), () => change(changes))] : []),
		);
	if (answer.hits.length) {
		const reached = { min: state.min.toFixed(2), best: best(answer).toFixed(3) };
		say("none.title", t("none.below", reached), "none.lower", { min: 0 });
	} else if (state.words === "exact") say("none.title", t("none.words"), "none.meaning", { words: "off" });
	else if (state.filters.length || state.where) say("none.title", t("none.filtered"), "none.clear", { filters: [], where: "" });
	else if (hasQuery(state)) say("none.title", t("none.page"));
	else say("none.empty", t("none.empty.detail"));
}

function busy(isBusy) {
	$("#results").ariaBusy = isBusy;
}

function failed(problem) {
	$("#error-title").textContent = problem.title;
	$("#error-detail").textContent = problem.message === problem.title ? "" : problem.message;
	$("#error").hidden = false;
	$("#nothing").hidden = true;
}

let fading = 0;
function toast(text) {
	$("#toast").textContent = text;
	$("#toast").hidden = false;
	clearTimeout(fading);
	fading = setTimeout(() => ($("#toast").hidden = true), 5000);
}

function panel(isOpen) {
	isPanelOpen = isOpen;
	document.body.classList.toggle("with-panel", isOpen);
	$("#filters").hidden = !isOpen;
	$("#open-filters").ariaExpanded = isOpen;
	if (wide.matches) local.set("panel", isOpen);
	filters.show(current(), isOpen);
}

function wire() {
	translate();
	for (const node of document.querySelectorAll("[data-icon]")) node.prepend(icon(node.dataset.icon));
	on("#retry", "click", () => answers.again());
	const toggle = () => {
		panel(!isPanelOpen);
		// Where the panel covers the page, the keyboard goes with it.
		if (!isPanelOpen) $("#open-filters").focus();
		else if (!wide.matches) $("#close-filters").focus();
	};
	for (const id of ["#open-filters", "#close-filters", "#veil"]) on(id, "click", toggle);
	on("#language", "click", () => {
		switchLanguage();
		filters.reload();
		show(current());
		if (answers.answer) view(current(), "language");
	});
	on("#theme", "click", () => {
		const theme = page.dataset.theme === "dark" ? "light" : "dark";
		page.dataset.theme = theme;
		local.set("theme", theme);
	});
	on("#help", "click", () => $("#keys").showModal());
	on("#close-keys", "click", () => $("#keys").close());
	on("#keys", "click", (event) => event.target === event.currentTarget && $("#keys").close());
	on("#gallery", "change", (event) => change({ gallery: event.target.value, filters: [], where: "", like: null }));
	on("#brand", "click", (event) => {
		if (event.metaKey || event.ctrlKey) return;
		event.preventDefault();
		change({ ...NO_QUERY, filters: [], where: "", kind: "image", sort: "relevance", words: "off" });
		scrollTo(0, 0);
	});
	on(window, "keydown", (event) => {
		if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || $("dialog[open]")) return;
		const keys = { "/": box.focus, "?": () => $("#keys").showModal(), f: toggle };
		if (event.key === "Escape" && isPanelOpen) toggle();
		if (!keys[event.key]) return;
		event.preventDefault();
		keys[event.key]();
	});
	on(window, "scroll", () => answers.answer && (answers.answer.scroll = scrollY), { passive: true });
}

async function galleries() {
	try {
		const { galleries: all } = await api.stats();
		$("#gallery").replaceChildren(...all.map(({ name }) => el("option", { text: name })));
		$("#gallery-choice").hidden = all.length < 2;
		$("#gallery").value = current().gallery || all[0]?.name;
	} catch {
		// The query fails as well and says why.
	}
}

wire();
panel(isPanelOpen);
start(show);
galleries();
