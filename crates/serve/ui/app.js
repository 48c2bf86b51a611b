// The page: one state (state.js) is shown by its parts, and asked of the server when its question has changed.

import { $, $$, el, icon, local, on, page, session } from "./dom.js";
import * as api from "./api.js";
import { createAdding } from "./adding.js";
import { createBox } from "./box.js";
import { createColumn } from "./column.js";
import { createDetail } from "./detail.js";
import { createDuplicates } from "./duplicates.js";
import { createFilters } from "./filters.js";
import { switchLanguage, t, translate } from "./i18n.js";
import { createPair } from "./pair.js";
import { dataUrl, keep } from "./picture.js";
import { createSelection } from "./selection.js";
import { ALL, change, current, hasQuery, set, settle, start } from "./state.js";
import { createStrip } from "./strip.js";
import { toast } from "./widgets.js";

const wide = matchMedia("(min-width: 60rem)");
let isPanelOpen = wide.matches && local.get("panel", false);
let galleries = session.get("galleries", []); // as the server tells them
let versus = null; // the column to compare with

const galleryOf = (name) => galleries.find((other) => other.name === name) ?? galleries[0];
const mayWrite = () => Boolean(galleryOf(current().gallery)?.writable);

function settled() {
	settle();
	box.remember(current().q.trim());
}

const selection = createSelection({
	mayWrite,
	all: () => grid.hits(),
	isRemoved: () => Boolean(current().removed),
	changed: () => grid.remark(),
	gone,
	back: renew,
	tagged: () => filters.reload(),
});
const columnOf = (name, opened, shown, marks) => createColumn(name, {
	opened,
	open(hit) {
		settled();
		set(opened(hit));
	},
	leave: () => box.focus(),
	failed,
	shown,
	marks,
});
const main = columnOf("last", ({ id }) => ({ item: id }), shown, selection.marks);
const { grid, answers } = main;
const adding = createAdding(renew);
const box = createBox({ settled, down: () => grid.focus(), add: () => mayWrite() && adding.add });
const pair = createPair(() => versus && [main, versus]);
const strip = createStrip((min) => main.view("same", { ...current(), min }));
const filters = createFilters((fields) => box.know(fields));
const detail = createDetail({
	step,
	has(id, by) {
		const at = grid.indexOf(id);
		return at >= 0 && (Boolean(grid.hits()[at + by]) || (by > 0 && !grid.isDone()));
	},
	lost(id, text) {
		set({ item: null }, "replace");
		if (grid.indexOf(id) >= 0) gone(new Set([id]));
		toast(text);
	},
	mayWrite,
});

const duplicates = createDuplicates({ mayWrite, open: (item) => set({ item }), gone, back: renew });

/// After items were taken out of what is shown.
function gone(ids) {
	if (answers.answer) answers.without(ids);
	stats();
}

/// Goes to a neighbour of the open item.
async function step(by) {
	const at = grid.indexOf(current().item);
	if (at + by === grid.hits().length) await answers.more();
	const next = at >= 0 && grid.hits()[at + by];
	if (next) set({ item: next.id }, "replace");
}

let last = {};
function show(state) {
	if (last.gallery !== state.gallery || last.removed !== state.removed) selection.clear();
	const about = galleryOf(state.gallery);
	box.show(state);
	strip.show(state);
	filters.show(state, isPanelOpen);
	$("#gallery").value = about?.name;
	for (const option of $("#versus")) option.hidden = option.value === about?.name;
	document.title = [state.q.trim(), "tuwen 图文"].filter(Boolean).join(" · ");
	// What cannot be done here is not offered.
	$("#add").hidden = !mayWrite();
	$("#key").hidden = mayWrite();
	$("#removed").hidden = !about?.removed || !mayWrite();
	$("#removed").textContent = t("Removed pictures ({n})", { n: about?.removed });
	// A server that knows no match probabilities does not fold either.
	$("#folding").hidden = $("#find-duplicates").hidden = about?.calibrated === undefined;
	main.show(state, state.gallery);
	compare(state);
	showItem(state);
	last = state;
}

/// The same query of another gallery, beside the first one.
async function compare(state) {
	document.body.classList.toggle("comparing", Boolean(state.versus));
	if (!state.versus) {
		versus?.root.remove();
		versus = null;
		return;
	}
	// A hit of the second column is opened by exchanging the two.
	versus ??= columnOf("versus", ({ id }) => ({ item: id, gallery: current().versus, versus: galleryOf(current().gallery).name }), beside);
	$("#columns").append(versus.root);
	if (state.like === null) return versus.show(state, state.versus);
	// An item's number means nothing there: its picture does.
	versus.isStale = true;
	const answer = await fetch(api.thumbnailOf(state.like, state.gallery, 640));
	const url = await dataUrl(await answer.blob());
	const key = await keep(url);
	if (state === current()) versus.show({ ...state, like: null, image: { url, key } }, state.versus);
}

function showItem(state) {
	if (state.item !== null) {
		return detail.show(state.item, grid.hits().find(({ id }) => id === state.item), state.gallery);
	}
	detail.hide();
	if (last.item) grid.focus(grid.indexOf(last.item));
}

/// What is said of two columns beside each other.
function beside() {
	titles();
	const { sort, removed } = current();
	pair.draw(hasQuery(current()) && sort === "relevance" && !removed);
}

function titles() {
	const { gallery: first, versus: second } = current();
	for (const [each, name] of [[main, first], [versus, second]]) {
		const about = galleryOf(name);
		if (each && about) each.title.textContent = `${about.name} · ${about.model}`;
	}
}

/// After the first column has shown an answer.
function shown({ how, answer, best, min, counted }) {
	const state = current();
	beside();
	if (how !== "same") $("#error").hidden = true;
	strip.scale(best, min);
	$("#count").textContent = counted;
	if (how === "new") scrollTo(0, 0);
	if (how === "back") scrollTo(0, answer.scroll ?? 0);
	selection.draw();
	if (state.item !== null && how !== "same") showItem(state);
}

function failed({ title, message, type }) {
	$("#error-title").textContent = title ?? message;
	$("#error-detail").textContent = title ? message : "";
	$("#retry").hidden = type?.endsWith("picture-gone"); // it would be asked about again
	$("#error").hidden = false;
}

/// After the gallery was changed from here.
function renew() {
	stats();
	filters.reload();
	if (scrollY < innerHeight) answers.again();
}

function panel(isOpen) {
	isPanelOpen = isOpen;
	document.body.classList.toggle("with-panel", isOpen);
	$("#filters").hidden = !isOpen;
	$("#open-filters").ariaExpanded = isOpen;
	if (wide.matches) local.set("panel", isOpen);
	filters.show(current(), isOpen);
}

function toggle() {
	panel(!isPanelOpen);
	// Where the panel covers the page, the keyboard goes with it.
	if (!isPanelOpen) $("#open-filters").focus();
	else if (!wide.matches) $("#close-filters").focus();
}

async function writeKey() {
	$("#keys").hidePopover();
	api.forgetKey();
	if (!(await api.askKey(t("One that may write; until this tab is closed.")))) return;
	await stats();
	if (!mayWrite()) toast(t("This key may only read."));
}

function wire() {
	translate();
	for (const node of $$("[data-icon]")) node.prepend(icon(node.dataset.icon));
	$("#columns").append(main.root);
	const clicks = {
		retry() {
			api.forgetKey();
			for (const each of [main, versus]) each?.answers.again();
		},
		language() {
			switchLanguage();
			filters.reload();
			show(current());
			// What the server says comes from it again.
			const isSaid = !$("#error").hidden;
			for (const each of [main, versus]) {
				each?.view("language");
				if (isSaid || each?.answers.answer?.remarks[0]) each?.answers.again();
			}
		},
		theme() {
			const isDark = (page.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches && "dark")) === "dark";
			page.dataset.theme = isDark ? "light" : "dark";
			local.set("theme", page.dataset.theme);
		},
		key: writeKey,
		"find-duplicates": duplicates,
		removed: () => change({ ...ALL, removed: "only" }),
		"open-filters": toggle,
		"close-filters": toggle,
		veil: toggle,
	};
	for (const [id, act] of Object.entries(clicks)) on(`#${id}`, "click", act);
	on("#gallery", "change", (event) => change({ gallery: event.target.value, filters: [], removed: "", like: null, versus: "" }));
	on(window, "keydown", (event) => {
		const isTyping = event.target.matches?.("select, input:not([type=checkbox], [type=range])");
		if (event.ctrlKey || event.metaKey || event.altKey || isTyping || $("dialog[open], .sheet:popover-open")) return;
		const escape = selection.marks.isOn() ? selection.clear : isPanelOpen && toggle;
		// Where nothing has the keyboard, as on a page that was just opened, arrows go into the grid; upwards the page scrolls.
		const isLoose = [document.body, $("#results")].includes(event.target);
		const enter = isLoose && grid.hits().length && grid.enter;
		const act = { ArrowRight: enter, ArrowLeft: enter, ArrowDown: enter, "/": box.focus, "?": () => $("#keys").showPopover(), f: toggle, v: pair.cross, Escape: escape }[event.key];
		if (!act) return;
		event.preventDefault();
		act();
	});
	on(window, "scroll", () => answers.answer && (answers.answer.scroll = scrollY), { passive: true });
}

/// Which galleries there are, and what may be done with them.
async function stats() {
	try {
		({ galleries } = await api.get("/v1/stats"));
	} catch {
		return; // the query fails as well and says why
	}
	session.set("galleries", galleries);
	if (current()) offer();
}

function offer() {
	const option = ({ name }) => el("option", { value: name, text: name });
	$("#gallery").replaceChildren(...galleries.map(option));
	$("#gallery").hidden = $("#versus").hidden = galleries.length < 2;
	$("#versus").replaceChildren($("#versus").firstElementChild, ...galleries.map(option));
	show(current());
}

function begin() {
	start(show);
	offer();
	panel(isPanelOpen);
}

wire();
// What the server can do decides what it is asked.
if (galleries.length) begin();
stats().then(() => {
	if (!current()) begin();
	if (mayWrite()) adding.poll();
});
